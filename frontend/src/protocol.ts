/* What the kernel and the page tell each other. The kernel's side: nbagent/panel/protocol.py (a card's messages),
 * nbagent/panel/table/row.py (a row's cells), nbagent/panel/card/data.py (a card's row), nbagent/panel/details/data.py.
 *
 * A card's state comes as the trait `card`, its changes as custom messages with a number and what to append. The table's
 * comes as the trait `table`, its changes as new lines and single cells. Who misses a number asks for the whole.
 *
 * Everything that a model or a person wrote goes into the page as text. `CardRow.html` alone is markup: the kernel made
 * it of Markdown and sanitised it.
 */

import type { AnyModel } from "@anywidget/types";

export type Status =
  | "pending"
  | "running"
  | "paused"
  | "completed"
  | "error"
  | "cancelled"
  | "timeout"
  | "interrupted"
  | "incomplete"; // of a batch alone

const ENDED: ReadonlySet<Status> = new Set(["completed", "error", "cancelled", "timeout", "interrupted", "incomplete"]);
const FAILED: ReadonlySet<Status> = new Set(["error", "timeout", "interrupted"]);

export const hasEnded = (status: Status): boolean => ENDED.has(status);
export const hasFailed = (status: Status): boolean => FAILED.has(status);

/* ----------------------------------------------------------------------- card */

export interface Approval {
  run_id: string;
  by: string;
  step: number;
  tool_call_id: string;
  call: string;
  always: boolean; // it may be approved with all that follow, in this kernel
}

export interface Member {
  name: string;
  status: Status | "";
  tokens: string;
  depth: number;
}

export interface AnswerTable {
  columns: string[];
  numeric: boolean[];
  cells: string[][];
}

export interface TreeNode {
  name: string;
  kind: string;
  text?: string;
  note?: string;
  kids?: TreeNode[];
}

export interface CardRow {
  run_id: string;
  title: string;
  agent: string;
  model: string;
  banner: string;
  status: Status;
  reason: string;
  final: boolean;
  began_ms: number | null;
  waiting: string;
  approvals: Approval[];
  always: string[];
  calls: string[];
  called: string;
  members: Member[];
  sent: string[];
  takes_messages: boolean;
  retry: string;
  notices: string[];
  error: string[];
  table: AnswerTable | null;
  tree: TreeNode | null;
  more: string;
  form: "" | "table" | "tree";
  html: string | null;
  took: string;
  facts: [string, string][];
  code: string;
}

export interface CardState {
  seq: number;
  now_ms: number;
  row: CardRow;
  text: string;
}

export interface CardChange {
  seq: number;
  now_ms: number;
  row?: CardRow;
  append: string;
}

/* ---------------------------------------------------------------------- table */

export type Cell = string | number | boolean | null | unknown[];

/** How many calls of a run wait for a person, the first as text, and which it is where it can be decided on in the row. */
export type Asks = [count: number, call: string, step?: number, toolCallId?: string];

/** One run in the table; the names are the columns that the kernel tells with the whole state. */
export interface RunRow {
  id: string;
  title: string;
  agent: string;
  model: string;
  status: Status;
  reason: string;
  session: string | null;
  parent: string | null;
  batch: string | null;
  created_ms: number | null;
  began_ms: number | null;
  ended_ms: number | null;
  tokens: number | null;
  cost: number | null;
  priced: boolean | null;
  says: string;
  prompt: string;
  error: string;
  attempt: number;
  asks: Asks | null;
  owner: string; // who works on it where that is another process
}

export type Column = keyof RunRow;

export interface BatchState {
  total: number | null;
  done: number;
  failed: number;
  not_asked: number;
  rate: number | null;
  finished: boolean;
  tokens: number | null;
  cost: number | null;
}

/** A row of a batch that has ended; its cells are those of the answer's fields. */
export type Item = [
  position: number,
  label: string,
  status: string,
  runId: string | null,
  error: string,
  reused: boolean,
  cells: (string | number | null)[],
];

/** How often each answer came, by field. */
export type AnswerCounts = [field: string, values: [value: string, count: number][]][];

export interface Listed {
  items: string; // JSON: a list of items
  fields: string[];
  counts: AnswerCounts;
  ended: number;
}

export interface TableState {
  seq: number;
  now_ms: number;
  columns: Column[];
  lines: string; // JSON: the rows as lists of cells
  loaded: boolean;
  total: number;
  trouble: string[];
  budgets: string[]; // what stands beside the totals: budgets, and who works for the record
  batches: Record<string, BatchState>;
  stale: Record<string, string>; // why a run is, by its id
  only: string | null;
  listed: Listed | null;
}

/** A run's changed cells: its id, then column number and value in turn. */
export type CellChange = [string, ...Cell[]];

export interface TableChange {
  seq: number;
  now_ms: number;
  new?: Cell[][];
  cells?: CellChange[];
  loaded?: boolean;
  total?: number;
  trouble?: string[];
  budgets?: string[];
  batches?: Record<string, BatchState>;
  stale?: Record<string, string>; // "": it is not any more
  gone?: string[];
  items?: Item[];
  fields?: string[];
  counts?: AnswerCounts;
  ended?: number;
}

/** What a command came to, where the rows do not show it. */
export interface Said {
  run_id: string;
  error?: [string, string] | null;
  new_id?: string;
}

/* ----------------------------------------------------------------- opened run */

export interface RoleText {
  role: string;
  text: string;
}

/** One bar of a trace: a call of a model or a tool, a pause for a person, or a member with its rows after it. */
export interface TraceRow {
  kind: "model" | "tool" | "pause" | "member";
  step: number;
  name: string;
  status: string;
  at_ms: number;
  ms: number;
  depth: number;
  note: string;
  about: string;
  given: RoleText[];
  came: RoleText[];
}

export interface Setup {
  instructions: string;
  tools: { name: string; description: string; parameters: string }[];
  settings: [string, string][];
}

export interface MessageRow {
  role: string;
  name: string;
  text: string;
  calls: string[];
  files: string[];
}

export interface Score {
  score: string;
  value: string;
  comment: string;
  author: string;
}

export interface Details {
  answer: string;
  setup: Setup;
  steps: { span_ms: number; rows: TraceRow[] };
  messages: MessageRow[];
  left: number;
  prompt: string;
  traceback: string;
  about: [string, string][];
  scores: Score[];
  code: string;
}

/** About one opened run: its card whole, a change of its card, or its details. */
export type OpenedMessage = { run: string } & ({ card: CardState } | { details: Details } | CardChange);

export type TableMessage = OpenedMessage | { said: Said } | TableChange;

/* --------------------------------------------------------------------- widget */

/** The widget's traits; a card has the first, the table the second. */
export interface Traits extends Record<string, unknown> {
  shows: "card" | "table";
  key: string; // the class of its static output
  host: string; // the class of its place holder
  card: CardState;
  table: TableState;
}

/** The part of Jupyter's kernel connection that is used, where the front end has one. */
export interface KernelConnection {
  clientId?: string;
  username?: string;
  sendControlMessage?: (message: unknown, expectReply: boolean, disposeOnDone: boolean) => ControlFuture;
  statusChanged?: { connect(slot: (sender: unknown, status: string) => void): void };
  disposed?: { connect(slot: () => void): void };
}

export interface ControlFuture {
  done?: Promise<unknown>;
  onReply: (reply: { content?: { status?: string; heard?: boolean } }) => void;
}

/** The part of a notebook's model that is used, where the front end has one. */
export interface CellOutputs {
  readonly length: number;
  get(at: number): { toJSON(): { data?: Record<string, unknown> } };
  set(at: number, output: object): void;
}

export type NotebookCells = Iterable<{ outputs?: CellOutputs }>;

/** What is asked of a widget's model: an opened run gives its card one that reads the table's. */
export interface Model {
  get<Name extends keyof Traits & string>(name: Name): Traits[Name];
  on(event: string, listener: (message: never) => void): void;
  send(content: unknown): void;
  readonly widget_manager: unknown;
}

export type WidgetModel = AnyModel<Traits>;

export type Command =
  | "always"
  | "approve"
  | "cancel"
  | "cancel_all"
  | "cancel_batch"
  | "deny"
  | "end_always"
  | "fork"
  | "hosted"
  | "open"
  | "resend"
  | "resend_table"
  | "resume"
  | "retry"
  | "retry_batch"
  | "score"
  | "send";
