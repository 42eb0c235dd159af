/* All runs: their rows and messages, and the commands of the table. One model serves all views of it; sorting, filters
 * and folding are a view's own. */

import { hideSnapshot } from "../dom";
import { openedRun, type OpenedRun } from "../details/model";
import { HONOUR_MS, send, watchKernel } from "../kernel";
import { tell, telling } from "../notify";
import {
  hasEnded, type BatchState, type Cell, type CellChange, type Column, type Command, type Item, type Model, type RunRow, type Said,
  type AnswerCounts,
  type Status, type TableChange, type TableMessage, type TableState,
} from "../protocol";
import { Replica } from "../replica";
import { tableView, type TableView } from "./table";

const SAID_MS = 12_000;
const FORGET_MS = 30_000; // then what has no other answer than the rows' own change may be asked again

/** One run with what is computed of it on demand. */
export interface Line {
  row: RunRow;
  hay: string | null; // what a search looks through
}

export interface Asked {
  name: Command;
  how: "heard" | "waiting";
}

/** "all": rows came or went; "time": a second has passed; "cells": something beside the rows; else the changed columns. */
export type Change = "all" | "time" | "cells" | ReadonlySet<Column>;

export interface TableData {
  rows: Map<string, Line>;
  batches: Map<string, BatchState>;
  stale: Map<string, string>; // why a run is, by its id
  total: number;
  loaded: boolean;
  trouble: string[];
  budgets: string[];
  said: [string, string][];
  asked: Map<string, Asked>; // by run or batch id, "" for all
  only: string | null; // the batch whose table this is
  items: Map<number, Item>; // of that batch, by position
  fields: string[];
  counts: AnswerCounts;
  ended: number; // rows of it, listed or not
  gone: boolean;
  skewMs: number; // the kernel's clock against the page's
  stoppedMs: number | null; // of the kernel's clock, once the kernel is gone
}

/** The kernel's time now; where it is gone, the last that was known. */
export const nowOf = (state: TableData): number => state.stoppedMs ?? Date.now() + state.skewMs;

export interface TableWidget {
  end(): void;
  render(el: HTMLElement): () => void;
}

/** Make the state of a table and all of its views. */
export function tableWidget(model: Model): TableWidget {
  const state: TableData = {
    rows: new Map(), batches: new Map(), stale: new Map(), total: 0, loaded: false, trouble: [], budgets: [], said: [], asked: new Map(), only: null,
    items: new Map(), fields: [], counts: [], ended: 0, gone: false, skewMs: 0, stoppedMs: null,
  };
  const views = new Set<TableView>();
  const opened = new Map<string, OpenedRun>();
  const replica = new Replica(() => void send(model, "resend_table", ""));
  const watch = watcher(state);
  const changed = (how: Change): void => {
    if (how === "all") watch();
    views.forEach((view) => view.update(how));
  };
  let columns: Column[] = [];

  const restate = (table: TableState | undefined): void => {
    if (!table?.columns) return;
    columns = table.columns;
    const lines = (JSON.parse(table.lines) as Cell[][]).map((cells) => lineOf(columns, cells));
    state.rows = new Map(lines.map((line) => [line.row.id, line]));
    state.batches = new Map(Object.entries(table.batches));
    state.stale = new Map(Object.entries(table.stale));
    const { total, loaded, trouble, budgets, only } = table;
    Object.assign(state, { total, loaded, trouble, budgets, only, gone: false, stoppedMs: null });
    state.skewMs = table.now_ms - Date.now();
    const { listed } = table;
    if (listed) {
      state.items = new Map((JSON.parse(listed.items) as Item[]).map((item) => [item[0], item]));
      Object.assign(state, { fields: listed.fields, counts: listed.counts, ended: listed.ended });
    }
    replica.restart(table.seq);
    changed("all");
  };

  const hear = (message: TableMessage): void => {
    if ("run" in message) opened.get(message.run)?.hear(message);
    else if ("said" in message) hearSaid(message.said);
    else if (replica.accept(message?.seq)) {
      const how = apply(state, columns, message);
      if (how === null) replica.resync();
      else changed(how);
    }
  };

  const hearSaid = (said: Said): void => {
    state.asked.delete(said.run_id);
    const { error } = said;
    if (error) {
      state.said = [...state.said.slice(-2), error];
      setTimeout(() => {
        state.said = state.said.filter((one) => one !== error);
        changed("cells");
      }, SAID_MS);
    }
    changed("cells");
  };

  const command = async (name: Command, id: string, more: object = {}): Promise<void> => {
    if (state.asked.has(id) || state.gone) return;
    const asked: Asked = { name, how: "heard" };
    state.asked.set(id, asked);
    changed("cells");
    const route = await send(model, name, id, more);
    const still = (work: () => void, afterMs: number): void => {
      setTimeout(() => {
        if (state.asked.get(id) !== asked) return;
        work();
        changed("cells");
      }, afterMs);
    };
    if (route === "none") leave();
    if (route === "comm") still(() => (asked.how = "waiting"), HONOUR_MS);
    still(() => state.asked.delete(id), FORGET_MS);
    changed("cells");
  };

  const leave = (): void => {
    if (state.gone) return;
    state.stoppedMs = nowOf(state); // nothing is known of what came later
    state.gone = true;
    changed("all");
  };

  restate(model.get("table"));
  model.on("change:table", () => restate(model.get("table")));
  model.on("msg:custom", hear);
  void watchKernel(model, leave);
  const clock = setInterval(() => document.hidden || state.gone || changed("time"), 1000);

  const openRun = (id: string): OpenedRun => {
    const run = opened.get(id) ?? openedRun(model);
    opened.set(id, run);
    if (!state.gone) void send(model, "open", id);
    return run;
  };

  return {
    end: () => clearInterval(clock),
    render(el) {
      const view = tableView(el, { state, openRun, command: (name, id, more) => void command(name, id, more) });
      const showSnapshot = hideSnapshot(model.get("key"));
      views.add(view);
      view.update("all");
      return () => {
        views.delete(view);
        view.end();
        showSnapshot();
      };
    },
  };
}

/** Return what is called after each change: it tells of runs and batches that have ended, and of what waits. */
function watcher(state: TableData): () => void {
  let going = new Map<string, Status>();
  const seen = new Set<string>();
  let first = true;
  return () => {
    const now = new Map<string, Status>();
    for (const { row } of state.rows.values()) {
      // one that waits already when it is first seen was launched a moment ago
      const before = first || seen.has(row.id) ? going.get(row.id) : "pending";
      const moment = before === "pending" && row.status !== "paused" && !going.has(row.id) ? null : telling(before, row.status);
      seen.add(row.id);
      // a member's end is its leader's, and a row's its batch's
      if (moment === "waits" || (moment && !row.parent && !row.batch)) tell(row.id, moment, row);
      if (!hasEnded(row.status)) now.set(row.id, row.status);
    }
    for (const [id, { finished }] of state.batches) {
      const status = finished ? "completed" : "running";
      const moment = telling(going.get(id), status);
      if (moment) tell(id, moment, { title: `batch ${titleOf(state, id)}`, status });
      if (!finished) now.set(id, status);
    }
    going = now;
    first = false;
  };
}

function titleOf(state: TableData, batchId: string): string {
  for (const { row } of state.rows.values()) if (row.batch === batchId) return row.title;
  return "";
}

/** Name the cells of a row. */
export function lineOf(columns: Column[], cells: Cell[]): Line {
  const row: Record<string, Cell> = {};
  for (let at = 0; at < columns.length; at += 1) row[columns[at] as Column] = cells[at] ?? null;
  return { row: row as unknown as RunRow, hay: null };
}

/** Apply a change to the state; return what it touched, null where it names a row that is not here. */
export function apply(state: TableData, columns: Column[], message: TableChange): Change | null {
  state.skewMs = message.now_ms - Date.now();
  const { total, loaded, trouble, budgets } = message;
  if (total !== undefined) state.total = total;
  if (loaded !== undefined) state.loaded = loaded;
  if (trouble !== undefined) state.trouble = trouble;
  if (budgets !== undefined) state.budgets = budgets;
  const stopped = Object.entries(message.batches ?? {}).some(([id, batch]) => batch.finished && !state.batches.get(id)?.finished);
  let all = stopped || Boolean(message.new) || trouble !== undefined || budgets !== undefined || loaded !== undefined;
  for (const [id, why] of Object.entries(message.stale ?? {})) {
    if (why) state.stale.set(id, why);
    else state.stale.delete(id);
  }
  for (const [id, batch] of Object.entries(message.batches ?? {})) {
    const known = state.batches.get(id); // the tree holds it
    if (known) Object.assign(known, batch);
    else {
      state.batches.set(id, batch);
      all = true;
    }
    if (batch.finished) state.asked.delete(id);
  }
  for (const cells of message.new ?? []) state.rows.set(String(cells[0]), lineOf(columns, cells));
  for (const id of message.gone ?? []) all = state.rows.delete(id) || all;
  for (const item of message.items ?? []) state.items.set(item[0], item);
  if (message.items) all = true;
  for (const name of ["fields", "counts", "ended"] as const) {
    if (message[name] !== undefined) Object.assign(state, { [name]: message[name] });
  }
  const touched = new Set<Column>();
  for (const change of message.cells ?? []) if (!applyCells(state, columns, change, touched)) return null;
  return all || touched.has("status") || touched.has("created_ms") ? "all" : touched;
}

function applyCells(state: TableData, columns: Column[], change: CellChange, touched: Set<Column>): boolean {
  const [id, ...pairs] = change;
  const line = state.rows.get(id);
  if (!line) return false;
  line.hay = null;
  const row = line.row as unknown as Record<string, Cell>;
  for (let i = 0; i < pairs.length; i += 2) {
    const column = columns[Number(pairs[i])];
    if (column === undefined) continue;
    row[column] = pairs[i + 1] ?? null;
    touched.add(column);
    if (column === "status" || column === "asks") state.asked.delete(id);
  }
  return true;
}
