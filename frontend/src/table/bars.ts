/* What stands above the rows: totals, troubles, filters. */

import { html, nothing, render, type TemplateResult } from "lit-html";
import { count, counted, dollars, short } from "../format";
import { bell } from "../notify";
import type { Command } from "../protocol";
import { CHOICES, GROUPS, sessionNames, totalsOf, valuesOf, type Choice, type Totals, type Wanted } from "./filters";
import type { TableData } from "./model";
import type { Filter } from "./sort";

export interface BarsActions {
  /** The wanted runs have changed. */
  refilter(): void;
  command(name: Command, id: string): void;
}

export interface Bars {
  el: HTMLElement;
  /** Sum up anew what the filter lets through. */
  sum(filter: Filter): void;
  /** Find anew what can be chosen: rows came or went. */
  choose(): void;
  draw(): void;
}

type Part = TemplateResult | typeof nothing;

const GONE = ["This panel’s kernel is gone; what it showed last is below.", "Run the cell again for a live one."];

export function barsView(state: TableData, want: Wanted, on: BarsActions): Bars {
  const el = document.createElement("div");
  el.className = "nbagent-bars";
  let totals: Totals | null = null;
  let narrow = false;
  let values: Record<Choice, string[]> = { agent: [], model: [], session: [] };
  let names = new Map<string, string>();

  const draw = (): void => {
    const unfinished = (totals?.counts.running ?? 0) + (totals?.counts.waiting ?? 0);
    render(html`${head(state, want, totals, narrow, unfinished, on)}${trouble(state)}${filters(state, want, totals, values, names, on)}`, el);
    el.parentElement?.toggleAttribute("data-gone", state.gone);
  };
  return {
    el,
    sum(filter) {
      totals = totalsOf(state.rows.values(), filter);
      narrow = filter.narrow;
    },
    choose() {
      values = { agent: [], model: [], session: [] };
      names = sessionNames(state.rows.values());
      for (const name of CHOICES) values[name] = valuesOf(state.rows.values(), name, want[name]);
    },
    draw,
  };
}

/** How many runs wait for a person; a click shows these, and another all again. */
function waits(number: number, want: Wanted, on: BarsActions): Part {
  const shown = want.group === "waiting";
  if (!number && !shown) return nothing;
  const show = (): void => {
    want.group = shown ? "all" : "waiting";
    on.refilter();
  };
  const word = number === 1 ? "1 waits for you" : number ? `${count(number)} wait for you` : "none waits";
  return html`<button type="button" class="nbagent-button nbagent-waits" aria-pressed=${shown} @click=${show}>${word}</button>`;
}

function head(
  state: TableData,
  want: Wanted,
  totals: Totals | null,
  narrow: boolean,
  unfinished: number,
  on: BarsActions,
): TemplateResult {
  const asked = state.asked.has("");
  const stops = unfinished > 0 && !state.gone && state.only === null; // a batch's own row has its Cancel
  const word = asked ? "cancelling…" : unfinished > 1 ? `Cancel all ${count(unfinished)}` : "Cancel it";
  return html`<div class="nbagent-panel-head">
    ${waits(totals?.counts.waiting ?? 0, want, on)}
    <p class="nbagent-totals" role="status">${totals ? totalsText(state, totals, narrow) : "nbagent"}</p>
    ${state.gone ? nothing : bell()}
    <button
      type="button"
      class="nbagent-button nbagent-cancel-all"
      ?hidden=${!stops}
      aria-disabled=${asked}
      @click=${() => on.command("cancel_all", "")}
    >${word}</button>
  </div>`;
}

function totalsText(state: TableData, totals: Totals, narrow: boolean): string {
  const { budgets } = state;
  if (!state.rows.size) return ["nbagent", ...budgets].join(" · ");
  const all = narrow ? state.rows.size : Math.max(state.total, state.rows.size);
  return [
    totals.running ? `${count(totals.running)} running` : "",
    totals.runs < all ? `${count(totals.runs)} of ${count(all)} runs` : counted(all, "run"),
    totals.tokens === null ? "" : `${short(totals.tokens)} tokens`,
    totals.cost === null ? "" : dollars(totals.cost),
    totals.priced < totals.called ? `cost known for ${count(totals.priced)} of ${count(totals.called)}` : "",
    ...budgets,
  ]
    .filter(Boolean)
    .join(" · ");
}

function trouble(state: TableData): TemplateResult {
  const said = [
    ...(state.gone ? [GONE] : []),
    ...(state.trouble.length && !state.gone ? [state.trouble] : []),
    ...state.said,
  ];
  return html`<div class="nbagent-trouble" role="alert" ?hidden=${!said.length}>
    ${said.map(
      ([what, todo]) =>
        html`<div class="nbagent-one-trouble"><p class="nbagent-what">${what}</p><p class="nbagent-todo">${todo}</p></div>`,
    )}
  </div>`;
}

/** The filters' own state; a choice between one thing is none and is not shown. */
function filters(
  state: TableData,
  want: Wanted,
  totals: Totals | null,
  values: Record<Choice, string[]>,
  names: ReadonlyMap<string, string>,
  on: BarsActions,
): TemplateResult {
  const choose = <Name extends keyof Wanted>(name: Name, value: Wanted[Name]): void => {
    want[name] = value;
    on.refilter();
  };
  return html`<div class="nbagent-filters" role="search" aria-label="runs" ?hidden=${!state.rows.size || state.only !== null}>
    <div class="nbagent-groups" role="group" aria-label="Status">
      ${GROUPS.map(
        ([name, word]) =>
          html`<button
            type="button"
            class="nbagent-group"
            aria-pressed=${want.group === name}
            @click=${() => choose("group", name)}
          >${word}<span class="nbagent-count"> ${count(totals?.counts[name] ?? 0)}</span></button>`,
      )}
    </div>
    <input
      type="search"
      class="nbagent-search"
      placeholder="Search runs"
      spellcheck="false"
      aria-label="Search runs by text"
      .value=${want.text}
      @input=${(event: Event) => choose("text", (event.target as HTMLInputElement).value)}
    />
    ${CHOICES.map(
      (name) =>
        html`<select
          class="nbagent-select"
          aria-label=${`Filter by ${name}`}
          ?hidden=${values[name].length < 2 && !want[name]}
          @change=${(event: Event) => choose(name, (event.target as HTMLSelectElement).value)}
        >
          <option value="" ?selected=${!want[name]} .selected=${!want[name]}>Any ${name}</option>
          ${values[name].map((value) => html`<option value=${value} .selected=${value === want[name]}>${name === "session" ? (names.get(value) ?? value) : value}</option>`)}
        </select>`,
    )}
  </div>`;
}
