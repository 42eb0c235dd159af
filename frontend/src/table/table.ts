/* The table's view: what a person looks for, sorts by, unfolds and opens, over one model. */

import { openedView, type OpenedServices, type OpenedView } from "../details/opened";
import type { OpenedRun } from "../details/model";
import { itemsView } from "../batch/items";
import { hasEnded, type Column, type Command } from "../protocol";
import { actionOf, cancels, targetOf } from "./actions";
import { barsView } from "./bars";
import { filterOf, NOTHING_WANTED, type Wanted } from "./filters";
import { gridView, ROWS_SEEN, type Part, type Seen } from "./grid";
import { nowOf, type Change, type TableData } from "./model";
import { linesOf, type SortColumn } from "./sort";
import { factsOf, forgetSums, treeOf, type Node } from "./tree";

export interface TableServices {
  state: TableData;
  command(name: Command, id: string, more?: object): void;
  openRun(id: string): OpenedRun;
}

export interface TableView {
  update(how: Change): void;
  end(): void;
}

const NUMBERS: ReadonlySet<SortColumn> = new Set<SortColumn>(["tokens", "cost", "time", "created"]);
const READ: Partial<Record<SortColumn, Column[]>> = {
  tokens: ["tokens"],
  cost: ["cost"],
  time: ["began_ms", "ended_ms"],
};
const SAMPLE = "%%agent_bg\nWhat is the capital of France?";

export function tableView(el: HTMLElement, services: TableServices): TableView {
  const { state, command } = services;
  const want: Wanted = { ...NOTHING_WANTED };
  const unfold = new Map<string, boolean>();
  const view: Seen = { sort: null, lines: [], active: null, open: [] };
  const opened = new Map<string, OpenedView>();
  const runs = new Map<string, OpenedRun>();
  let comparing = false; // the next run that is opened stands beside the one that is
  let roots: Node[] | null = null;
  let painting = 0;

  const root = document.createElement("section");
  root.className = "nbagent-panel";
  root.setAttribute("aria-label", state.only === null ? "nbagent runs" : "nbagent batch");
  root.dataset.lmSuppressShortcuts = "true"; // arrows and letters are the table's while it has the focus
  const bars = barsView(state, want, { refilter, command });
  const grid = gridView({ sort: onSort, key: onKey, click: onClick, scroll: paintSoon });
  const below = document.createElement("div");
  below.className = "nbagent-below";
  const items = itemsView(state, { openRun, command });
  root.append(bars.el, grid.el, items.el, below);
  el.classList.add("nbagent");
  el.append(root);

  function derive(): void {
    roots ??= treeOf(state.rows, state.batches);
    const filter = filterOf(want);
    grid.el.toggleAttribute("data-owners", [...state.rows.values()].some((line) => line.row.owner));
    view.lines = linesOf(roots, filter, view.sort, unfold, nowOf(state));
    if (!view.lines.some((line) => line.node.key === view.active)) view.active = view.lines[0]?.node.key ?? null;
    bars.sum(filter);
    grid.showEmpty(emptyText(), clearFilters);
  }

  function emptyText(): [string, string] | null {
    if (view.lines.length) return null;
    if (!state.loaded && !state.trouble.length) return ["Reading the record…", ""];
    if (state.rows.size) return ["No run matches.", "clear"];
    if (state.trouble.length) return ["The record cannot be read now.", ""];
    if (state.only) return [state.batches.get(state.only)?.finished ? "No row had to be asked." : "No row is asked yet.", ""];
    return ["No runs yet.", SAMPLE];
  }

  function clearFilters(): void {
    Object.assign(want, NOTHING_WANTED);
    refilter();
  }

  function refilter(): void {
    grid.el.scrollTop = 0;
    derive();
    bars.draw();
    paintSoon();
  }

  function onSort(by: SortColumn): void {
    const first = NUMBERS.has(by);
    if (view.sort?.by !== by) view.sort = { by, down: first };
    else view.sort = view.sort.down === first ? { by, down: !first } : null;
    grid.showSort(view.sort);
    derive();
    paintSoon();
  }

  function activate(number: number): void {
    const at = Math.max(0, Math.min(view.lines.length - 1, number));
    const line = view.lines[at];
    if (!line) return;
    view.active = line.node.key;
    grid.reveal(at);
    paint();
  }

  function toggle(node: Node, to = !node.unfolded): void {
    if (!node.kids) return;
    unfold.set(node.key, to);
    derive();
    paint();
  }

  /** Open a run below the table, or close it; a second one stands beside the first where that was asked for. */
  function openRun(id: string): void {
    const [first] = view.open;
    if (view.open.includes(id)) view.open = view.open.filter((one) => one !== id);
    else view.open = comparing && first !== undefined ? [first, id] : [id];
    comparing = false;
    for (const [one, shown] of opened) {
      if (view.open.includes(one)) continue;
      shown.end();
      opened.delete(one);
    }
    for (const one of view.open) if (!opened.has(one)) opened.set(one, openedView(below, one, servicesOf(one)));
    below.toggleAttribute("data-two", view.open.length > 1);
    redraw();
    items.draw(view.open);
    paint();
  }

  function servicesOf(id: string): OpenedServices {
    const run = services.openRun(id);
    runs.set(id, run);
    return {
      state,
      command,
      run,
      redraw,
      close() {
        openRun(id);
        grid.el.focus();
      },
      compare() {
        comparing = !comparing;
        redraw();
      },
      comparing: () => comparing,
      span: () => Math.max(1, ...view.open.map((one) => runs.get(one)?.details?.steps.span_ms ?? 0)),
    };
  }

  function redraw(): void {
    opened.forEach((one) => one.update());
  }

  function onClick(key: string, part: Part): void {
    const node = view.lines.find((one) => one.node.key === key)?.node;
    if (!node) return;
    view.active = key;
    if (part === "action") act(node);
    else if (part === "approve" || part === "deny") decide(node, part);
    else if (part === "twist" || !node.line) toggle(node);
    else openRun(key);
    paint();
  }

  function decide(node: Node, decision: "approve" | "deny"): void {
    const [, , step, toolCallId] = node.line?.row.asks ?? [];
    if (step === undefined || toolCallId === undefined) return;
    command(decision, node.key, { step, tool_call_id: toolCallId });
  }

  function act(node: Node): void {
    const { command: name } = actionOf(node, state);
    if (name) command(name, targetOf(node));
  }

  function onKey(event: KeyboardEvent): void {
    const at = view.lines.findIndex((line) => line.node.key === view.active);
    if (keyed(event.key, at, view.lines[at]?.node)) event.preventDefault();
  }

  /** Do what a key means; return whether it means anything. */
  function keyed(key: string, at: number, node: Node | undefined): boolean {
    const steps: Record<string, number> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + ROWS_SEEN - 1,
      PageUp: at + 1 - ROWS_SEEN,
      Home: 0,
      End: view.lines.length - 1,
    };
    const to = steps[key];
    if (to !== undefined) activate(to);
    else if (key === "ArrowRight" && node?.kids) toggle(node, true);
    else if (key === "ArrowLeft" && node?.unfolded) toggle(node, false);
    else if ((key === "Enter" || key === " ") && node) onClick(node.key, "row");
    else if (key === "Delete" && node && cancels(actionOf(node, state).command)) act(node);
    else if (key === "Escape" && view.open.length) openRun(view.open.at(-1) as string);
    else return false;
    return true;
  }

  function paint(): void {
    painting = 0;
    grid.paint(view, state);
  }

  function paintSoon(): void {
    painting ||= requestAnimationFrame(paint);
  }

  const touchesOrder = (columns: ReadonlySet<Column>): boolean => {
    if (want.text && (columns.has("says") || columns.has("error"))) return true;
    return Boolean(view.sort && READ[view.sort.by]?.some((name) => columns.has(name)));
  };

  return {
    update(how) {
      if (how === "time") {
        if (view.lines.some(({ node }) => !hasEnded(factsOf(node).status))) paintSoon();
        return;
      }
      if (how === "all") roots = null;
      else if (how !== "cells") forgetSums(roots ?? []);
      if (how === "all" || (how !== "cells" && touchesOrder(how))) derive();
      else if (how !== "cells") bars.sum(filterOf(want));
      if (how === "all") bars.choose();
      if (how === "all") items.draw(view.open);
      if (how === "cells") items.draw(view.open);
      bars.draw();
      redraw();
      paintSoon();
    },
    end() {
      cancelAnimationFrame(painting);
      opened.forEach((one) => one.end());
    },
  };
}
