/* The rows of a batch in its card: how often each answer came, and each row with label, prompt and the answer's fields. */

import { html, nothing, render, type TemplateResult } from "lit-html";
import { count } from "../format";
import type { AnswerCounts, Command, Item } from "../protocol";
import type { TableData } from "../table/model";
import { isFailed, numericFields, orderedItems, type ItemGroup, type ItemsWanted } from "./order";

const ROW_PX = 30;
const SEEN = 10;
const SPARE = 6;
const GROUPS: [ItemGroup, string][] = [
  ["all", "All rows"],
  ["failed", "Failed"],
  ["answered", "Answered"],
];

export interface ItemsActions {
  openRun(id: string): void;
  command(name: Command, id: string): void;
}

export interface ItemsView {
  el: HTMLElement;
  /** Draw the rows; `open` are the runs that are opened below. */
  draw(open: string[]): void;
}

/** Show the rows of the batch whose table this is; nothing in a table of all runs. */
export function itemsView(state: TableData, on: ItemsActions): ItemsView {
  const want: ItemsWanted = { text: "", group: "all" };
  const el = document.createElement("div");
  el.className = "nbagent-items";
  el.hidden = true;
  let found: Item[] = [];
  let numeric: boolean[] = [];
  let opened: string[] = [];
  let painting = 0;

  const promptOf = (item: Item): string => (item[3] === null ? "" : (state.rows.get(item[3])?.row.prompt ?? ""));

  const find = (): void => {
    found = orderedItems(state.items.values(), want, promptOf);
    numeric = numericFields(found.slice(0, 200), state.fields);
  };

  const refind = (): void => {
    find();
    const home = el.querySelector(".nbagent-items-home");
    if (home) home.scrollTop = 0;
    paint();
  };

  const paint = (): void => {
    painting = 0;
    const home = el.querySelector<HTMLElement>(".nbagent-items-home");
    const top = home?.scrollTop ?? 0;
    const first = Math.max(0, Math.floor(top / ROW_PX) - SPARE);
    const last = first + SEEN + 2 * SPARE;
    render(template({ state, want, found, numeric, opened, first, last, promptOf, refind, paintSoon, on }), el);
  };

  const paintSoon = (): void => {
    painting ||= requestAnimationFrame(paint);
  };

  return {
    el,
    draw(open) {
      opened = open;
      el.hidden = !state.items.size;
      if (el.hidden) return;
      find();
      paint();
    },
  };
}

interface Drawn {
  state: TableData;
  want: ItemsWanted;
  found: Item[];
  numeric: boolean[];
  opened: string[];
  first: number;
  last: number;
  promptOf(item: Item): string;
  refind(): void;
  paintSoon(): void;
  on: ItemsActions;
}

function template(drawn: Drawn): TemplateResult {
  const { state, found, numeric, first, last } = drawn;
  const hidden = state.ended - state.items.size;
  const columns = `minmax(60px, 0.7fr) minmax(80px, 1.6fr) ${"minmax(60px, 1fr) ".repeat(Math.max(1, state.fields.length))}`;
  const height = Math.min(SEEN, Math.max(1, found.length)) * ROW_PX + ROW_PX + 2;
  return html`${counts(state.counts)} ${filters(drawn)}
    <div
      class="nbagent-items-home"
      role="table"
      aria-label="rows of the batch"
      aria-rowcount=${found.length + 1}
      tabindex="0"
      style=${`height: ${height}px; --nb-columns: ${columns}`}
      @scroll=${drawn.paintSoon}
    >
      <div role="rowgroup" class="nbagent-items-head">
        <div class="nbagent-item" role="row">
          <div class="nbagent-cell" role="columnheader">Row</div>
          <div class="nbagent-cell nbagent-item-prompt" role="columnheader">Prompt</div>
          ${state.fields.map(
            (name, at) =>
              html`<div class=${`nbagent-cell ${numeric[at] ? "nbagent-number" : ""}`} role="columnheader">${name}</div>`,
          )}
          ${state.fields.length ? nothing : html`<div class="nbagent-cell" role="columnheader">Answer</div>`}
        </div>
      </div>
      <div role="rowgroup" class="nbagent-items-rows" style=${`height: ${found.length * ROW_PX}px`}>
        ${found.slice(first, last).map((item, at) => itemRow(item, first + at, drawn))}
      </div>
    </div>
    ${found.length ? nothing : html`<p class="nbagent-more">No row matches.</p>`}
    ${hidden > 0
      ? html`<p class="nbagent-more">${count(state.items.size)} of ${count(state.ended)} rows are listed; to_frame() has all</p>`
      : nothing}`;
}

/** Small bars of how often each answer came. */
function counts(fields: AnswerCounts): TemplateResult | typeof nothing {
  if (!fields.length) return nothing;
  return html`<div class="nbagent-counts">
    ${fields.map(([name, values]) => {
      const most = Math.max(...values.map(([, number]) => number));
      return html`<div class="nbagent-kinds" role="list" aria-label=${`answers by ${name}`}>
        <p class="nbagent-label" aria-hidden="true">${name}</p>
        ${values.map(
          ([value, number]) =>
            html`<div class="nbagent-kind" role="listitem">
              <span class="nbagent-kind-name" title=${value}>${value || "(empty)"}</span
              ><span class="nbagent-kind-track" aria-hidden="true"
                ><span class="nbagent-kind-bar" style=${`width: ${(100 * number) / most}%`}></span></span
              ><span class="nbagent-kind-count">${count(number)}</span>
            </div>`,
        )}
      </div>`;
    })}
  </div>`;
}

function filters({ state, want, refind, on }: Drawn): TemplateResult {
  const failed = [...state.items.values()].filter(isFailed).length;
  const numbers = { all: state.items.size, failed, answered: state.items.size - failed };
  const choose = (group: ItemGroup): void => {
    want.group = group;
    refind();
  };
  return html`<div class="nbagent-filters" role="search" aria-label="rows of the batch">
    <div class="nbagent-groups" role="group" aria-label="Rows">
      ${GROUPS.map(
        ([name, word]) =>
          html`<button type="button" class="nbagent-group" aria-pressed=${want.group === name} @click=${() => choose(name)}>${word}<span class="nbagent-count"> ${count(numbers[name])}</span></button>`,
      )}
    </div>
    <input
      type="search"
      class="nbagent-search"
      placeholder="Search rows"
      spellcheck="false"
      aria-label="Search rows by text"
      .value=${want.text}
      @input=${(event: Event) => {
        want.text = (event.target as HTMLInputElement).value;
        refind();
      }}
    />
    ${retry(state, failed, on)}
  </div>`;
}

/** Ask the rows that have failed once more; not while the batch is at work. */
function retry(state: TableData, failed: number, on: ItemsActions): TemplateResult | typeof nothing {
  const id = state.only ?? "";
  if (!failed || state.gone || !state.batches.get(id)?.finished) return nothing;
  const asked = state.asked.has(id);
  return html`<button
    type="button"
    class="nbagent-button"
    aria-disabled=${asked}
    @click=${() => on.command("retry_batch", id)}
  >${asked ? "retrying…" : `Retry ${count(failed)} failed`}</button>`;
}

function itemRow(item: Item, number: number, { state, numeric, opened, promptOf, on }: Drawn): TemplateResult {
  const [, label, status, runId, error, reused, cells] = item;
  const name = runId !== null && state.rows.has(runId)
    ? html`<button type="button" class="nbagent-link" aria-expanded=${opened.includes(runId)} @click=${() => on.openRun(runId)}>${label}</button>`
    : label;
  const failed = isFailed(item);
  const shown = failed || !state.fields.length;
  return html`<div
    class="nbagent-item"
    role="row"
    aria-rowindex=${number + 2}
    data-status=${failed ? "error" : status}
    style=${`transform: translateY(${number * ROW_PX}px)`}
  >
    <div class="nbagent-cell" role="cell"><span class="nbagent-chip" title=${status}></span>${name}</div>
    <div class="nbagent-cell nbagent-item-prompt" role="cell">${promptOf(item) || (reused ? "from an earlier run" : "")}</div>
    ${shown
      ? html`<div class="nbagent-cell nbagent-item-error" role="cell" title=${error}>${error || status}</div>`
      : state.fields.map(
          (_, at) =>
            html`<div class=${`nbagent-cell ${numeric[at] ? "nbagent-number" : ""}`} role="cell">${cells[at] ?? ""}</div>`,
        )}
  </div>`;
}
