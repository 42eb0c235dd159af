/* A run that is opened in the table. The kernel sends its card and details over the table's own model, with the run's id
 * on each message; the card does not know: it is given the face of a model. */

import { cardWidget } from "../card/model";
import type { CardState, Details, Model, OpenedMessage, Traits } from "../protocol";

export interface OpenedRun {
  card: CardState | null;
  details: Details | null;
  hear(message: OpenedMessage): void;
  /** Call this after each message; returns what ends it. */
  follow(changed: () => void): () => void;
  renderCard(el: HTMLElement): () => void;
}

/** Make the state of one opened run, fed from the table's messages about it. */
export function openedRun(model: Model): OpenedRun {
  const listeners = new Map<string, ((message: never) => void)[]>();
  const emit = (event: string, message?: unknown): void =>
    (listeners.get(event) ?? []).forEach((listener) => listener(message as never));
  const followers = new Set<() => void>();
  const card = cardWidget(false);
  const face: Model = {
    get: (name) => ({ card: run.card, key: "" } as unknown as Traits)[name],
    on: (event, listener) => void listeners.set(event, [...(listeners.get(event) ?? []), listener]),
    send: (content) => model.send(content),
    get widget_manager() {
      return model.widget_manager;
    },
  };
  const run: OpenedRun = {
    card: null,
    details: null,
    hear(message) {
      if ("card" in message) {
        const first = run.card === null;
        run.card = message.card;
        if (first) card.initialize(face);
        else emit("change:card");
      } else if ("details" in message) run.details = message.details;
      else emit("msg:custom", message);
      followers.forEach((changed) => changed());
    },
    follow(changed) {
      followers.add(changed);
      return () => void followers.delete(changed);
    },
    renderCard: (el) => card.render(face, el),
  };
  return run;
}
