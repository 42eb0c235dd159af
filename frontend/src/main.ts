/* The widget: which of its faces a model shows, one run as a card or all runs as a table, and where in the page. */

import type { AnyWidget } from "@anywidget/types";
import { cardWidget } from "./card/model";
import { cellsOf, host, takeOut, type Draw } from "./hosts";
import { send } from "./kernel";
import type { Model, Traits } from "./protocol";
import { plainPrompts } from "./prompt_cells";
import { tableWidget } from "./table/model";

const widget: AnyWidget<Traits> = () => {
  let draw: Draw = () => () => {};
  return {
    initialize({ model }) {
      const given = model as unknown as Model;
      void plainPrompts(given);
      let end = (): void => {};
      if (model.get("shows") === "table") {
        const table = tableWidget(given);
        [draw, end] = [table.render, table.end];
      } else {
        const card = cardWidget();
        card.initialize(given);
        draw = (el) => card.render(given, el);
      }
      const leave = host(model.get("host"), draw);
      return () => {
        leave();
        end();
      };
    },
    async render({ model, el }) {
      const name = model.get("host");
      const cells = await cellsOf(model.widget_manager);
      if (!cells || !takeOut(cells, name)) return draw(el);
      void send(model as unknown as Model, "hosted", name);
      return undefined;
    },
  };
};

export default widget;
