/* The widget: which of its faces a model shows, one run as a card or all runs as a table. */

import type { AnyWidget } from "@anywidget/types";
import { cardWidget } from "./card/model";
import type { Model, Traits } from "./protocol";
import { tableWidget } from "./table/model";

const widget: AnyWidget<Traits> = () => {
  const card = cardWidget();
  let table: ReturnType<typeof tableWidget> | null = null;
  return {
    initialize({ model }) {
      const given = model as unknown as Model;
      if (model.get("shows") !== "table") {
        card.initialize(given);
        return undefined;
      }
      table = tableWidget(given);
      return table.end;
    },
    render({ model, el }) {
      return table ? table.render(el) : card.render(model as unknown as Model, el);
    },
  };
};

export default widget;
