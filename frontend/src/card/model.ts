/* One run: its state and messages, and the commands of its card. A widget's model serves all of its views; a run that is
 * opened in the table has a model of its own that reads the table's. */

import { hideSnapshot } from "../dom";
import { HONOUR_MS, send } from "../kernel";
import type { Approval, CardChange, CardRow, CardState, Model } from "../protocol";
import { tell, telling } from "../notify";
import { Replica } from "../replica";
import { cardView, type CardView } from "./card";
import type { Sending } from "./sending";

export type Decision = "always" | "approve" | "deny";

export interface CardData {
  row: CardRow;
  text: string;
  beganAt: number; // on the page's own clock
  cancel: "ready" | "heard" | "waiting" | "gone";
  wasFinal: boolean;
  retry: "ready" | "heard" | "gone" | "never"; // the last: an opened run's bar has the button
  sending: Sending;
  decided: Map<string, Decision | "gone">;
}

/** Names one call that waits: what was decided on it is kept by this. */
export const keyOf = (call: Approval): string => `${call.run_id} ${call.step} ${call.tool_call_id}`;

const UNKNOWN: CardRow = {
  run_id: "", title: "", agent: "", model: "", banner: "", status: "pending", reason: "", final: false, began_ms: null,
  waiting: "", approvals: [], always: [], calls: [], called: "", members: [], sent: [], takes_messages: false, retry: "", notices: [], error: [], table: null,
  tree: null, more: "", form: "", html: null, took: "", facts: [], code: "",
};

export interface CardWidget {
  initialize(model: Model): void;
  render(model: Model, el: HTMLElement): () => void;
}

/** Make the state of one run and all of its views. */
export function cardWidget(inCell = true): CardWidget {
  const state: CardData = { row: UNKNOWN, text: "", beganAt: 0, cancel: "ready", wasFinal: false, retry: inCell ? "ready" : "never", sending: "ready", decided: new Map() };
  const views = new Set<CardView>();
  let replica = new Replica(() => {});
  const changed = (appended: string | null): void => views.forEach((view) => view.update(appended));

  const keepTime = (nowMs: number): void => {
    state.beganAt = performance.now() - Math.max(0, nowMs - (state.row.began_ms ?? nowMs));
  };

  const show = (row: CardRow): void => {
    const before = state.row.run_id === row.run_id ? state.row.status : undefined;
    state.row = row;
    if (state.wasFinal && !row.final) {
      state.cancel = "ready"; // another run, or another attempt
      if (inCell) state.retry = "ready";
    }
    state.wasFinal = row.final;
    const moment = telling(before, row.status);
    if (moment) tell(row.run_id, moment, row);
  };

  const restate = (card: CardState | undefined): void => {
    if (!card?.row) return;
    replica.restart(card.seq);
    show(card.row);
    state.text = card.text;
    state.decided.clear(); // what still waits was not heard, or refused: it may be clicked again
    keepTime(card.now_ms);
    changed(null);
  };

  const hear = (message: CardChange): void => {
    if (!replica.accept(message?.seq)) return;
    if (message.row) {
      show(message.row);
      keepTime(message.now_ms);
    }
    state.text += message.append;
    changed(message.append);
  };

  const cancel = async (model: Model): Promise<void> => {
    if (state.cancel !== "ready" || state.row.final) return;
    state.cancel = "heard";
    changed("");
    const route = await send(model, "cancel", state.row.run_id);
    if (route === "none") state.cancel = "gone";
    else if (route === "comm") {
      setTimeout(() => {
        if (state.cancel === "heard") state.cancel = "waiting";
        changed("");
      }, HONOUR_MS);
    }
    changed("");
  };

  const retry = async (model: Model): Promise<void> => {
    if (state.retry !== "ready" || !state.row.final) return;
    state.retry = "heard";
    changed("");
    if ((await send(model, "retry", state.row.run_id, { card: true })) === "none") state.retry = "gone";
    setTimeout(() => {
      if (state.retry === "heard" && state.row.final) state.retry = "ready"; // it came to nothing, and the card says why
      changed("");
    }, HONOUR_MS);
    changed("");
  };

  const decide = async (model: Model, call: Approval, command: Decision): Promise<void> => {
    const key = keyOf(call);
    if (state.decided.has(key) || state.row.final) return;
    state.decided.set(key, command);
    changed("");
    const which = { tool_call_id: call.tool_call_id, step: call.step, card: state.row.run_id };
    if ((await send(model, command, call.run_id, which)) === "none") state.decided.set(key, "gone");
    changed("");
  };

  const tellRun = async (model: Model, text: string): Promise<void> => {
    if (state.sending !== "ready") return;
    state.sending = "heard";
    changed("");
    state.sending = (await send(model, "send", state.row.run_id, { text })) === "none" ? "gone" : "ready";
    changed("");
  };

  return {
    initialize(model) {
      replica = new Replica(() => void send(model, "resend", state.row.run_id));
      restate(model.get("card"));
      model.on("change:card", () => restate(model.get("card")));
      model.on("msg:custom", hear);
    },
    render(model, el) {
      const view = cardView(el, state, {
        cancel: () => void cancel(model),
        retry: () => void retry(model),
        send: (text) => void tellRun(model, text),
        decide: (call, command) => void decide(model, call, command),
        endAlways: () => void send(model, "end_always", state.row.run_id),
      });
      const showSnapshot = hideSnapshot(model.get("key"));
      views.add(view);
      view.update(null);
      return () => {
        views.delete(view);
        view.end();
        showSnapshot();
      };
    },
  };
}
