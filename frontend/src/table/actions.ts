/* What can be done with a run or a batch by one click: the command, and what the button says. Pure. */

import { hasEnded, type Command } from "../protocol";
import type { TableData } from "./model";
import { factsOf, type Node } from "./tree";

export interface Action {
  command: Command | null; // null: nothing to click now
  word: string; // "": no button
}

const NONE: Action = { command: null, word: "" };
const RESUMABLE = new Set(["error", "timeout", "interrupted"]);
const HEARD: Partial<Record<Command, string>> = {
  cancel: "cancelling…",
  cancel_batch: "cancelling…",
  retry: "retrying…",
  retry_batch: "retrying…",
  resume: "resuming…",
  approve: "approving…",
  deny: "denying…",
  fork: "forking…",
  score: "scoring…",
};

/** What a command acts on: a run's id, or a batch's. */
export const targetOf = (node: Node): string => (node.line ? node.key : node.batchId);

export const cancels = (command: Command | null): boolean => command === "cancel" || command === "cancel_batch";

export function actionOf(node: Node, state: TableData): Action {
  if (state.gone) return NONE;
  const asked = state.asked.get(targetOf(node));
  if (asked) return { command: null, word: asked.how === "waiting" ? "waiting…" : (HEARD[asked.name] ?? "…") };
  const { status } = factsOf(node);
  if (!hasEnded(status)) return { command: node.line ? "cancel" : "cancel_batch", word: "Cancel" };
  if (node.told?.failed) return { command: "retry_batch", word: "Retry" }; // the rows that have no answer
  if (!node.line || node.line.row.parent) return NONE; // a member is its leader's to repeat
  return RESUMABLE.has(status) ? { command: "resume", word: "Resume" } : { command: "retry", word: "Retry" };
}
