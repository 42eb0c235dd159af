/* One line of the table: a run, a team with its members, or a batch with its progress. */

import { html, nothing, type TemplateResult } from "lit-html";
import { brief, count, counted, dollars, moment } from "../format";
import { hasEnded, type Asks, type RunRow } from "../protocol";
import { actionOf } from "./actions";
import { ROW_PX, type Seen } from "./grid";
import type { TableData } from "./model";
import type { Placed } from "./sort";
import { factsOf, progressOf, type Facts } from "./tree";

export const HEADS = [
  ["status", "Status"],
  ["title", "Run"],
  ["model", "Model"],
  ["owner", "Where"],
  ["says", "Answer"],
  ["tokens", "Tokens"],
  ["cost", "Cost"],
  ["time", "Time"],
  ["created", "Launched"],
  ["action", ""],
] as const;

const CACHED = "from cache"; // as nbagent/panel/table/row.py says it

export interface RowContext {
  seen: Seen;
  state: TableData;
  now: number;
}

export function rowTemplate({ node, depth }: Placed, id: string, number: number, context: RowContext): TemplateResult {
  const { seen, state, now } = context;
  const facts = factsOf(node);
  const run = node.line?.row ?? null;
  const action = actionOf(node, state);
  const cached = run?.reason.endsWith(CACHED) ?? false;
  const reason = cached ? "" : run?.reason;
  const tokens = cached ? "cached" : facts.tokens === null ? (facts.status === "completed" ? "?" : "") : count(facts.tokens);
  const kids = node.kids ? (run ? `+${node.kids.length}` : `× ${count(facts.of)}`) : "";
  const cost = facts.cost === null ? (facts.priced === false && hasEnded(facts.status) ? "?" : "") : `${facts.priced === false ? "≥ " : ""}${dollars(facts.cost)}`;
  return html`<div
    class="nbagent-line"
    role="row"
    id=${id}
    style=${`transform: translateY(${number * ROW_PX}px); --nb-depth: ${depth}`}
    data-key=${node.key}
    data-status=${facts.status}
    data-offer=${`${node.key} ${action.command}`}
    aria-rowindex=${number + 2}
    aria-level=${depth + 1}
    aria-selected=${seen.open.includes(node.key)}
    aria-expanded=${node.kids ? node.unfolded : nothing}
    ?data-active=${seen.active === node.key}
    ?data-batch=${!run}
    ?data-asks=${Boolean(run?.asks)}
    ?data-waits=${facts.waiting > 0}
  >
    <div class="nbagent-cell nbagent-c-status" role="gridcell"
      ><span class="nbagent-chip">${reason ? `${facts.status}: ${reason}` : facts.status}</span></div
    >
    <div class="nbagent-cell nbagent-c-title" role="gridcell"
      ><span class="nbagent-twist" data-part="twist" aria-hidden="true" ?hidden=${!node.kids}></span
      ><span class="nbagent-title">${facts.title}</span><span class="nbagent-kids">${kids}</span>${run && staleMark(run, state)}</div
    >
    <div class="nbagent-cell nbagent-c-model" role="gridcell">${facts.model}</div>
    <div class="nbagent-cell nbagent-c-owner" role="gridcell" title=${run?.owner || nothing}>${run?.owner}</div>
    ${run?.asks ? asksOf(run, run.asks, state) : run ? saysOf(run, facts.waiting) : progress(facts, now)}
    <div class="nbagent-cell nbagent-c-tokens" role="gridcell">${tokens}</div>
    <div class="nbagent-cell nbagent-c-cost" role="gridcell">${cost}</div>
    <div class="nbagent-cell nbagent-c-time" role="gridcell">${timeOf(facts, now)}</div>
    <div class="nbagent-cell nbagent-c-created" role="gridcell">${facts.created === null ? "" : moment(facts.created, now)}</div>
    <div class="nbagent-cell nbagent-c-action" role="gridcell"
      ><button
        type="button"
        class="nbagent-button nbagent-act"
        tabindex="-1"
        data-part="action"
        data-command=${action.command ?? ""}
        aria-disabled=${!action.command}
        aria-label=${`${action.word} ${facts.title}`}
        ?hidden=${!action.word}
      >${action.word}</button></div
    >
  </div>`;
}

/** The call that waits for a person with its two buttons; several, or one too long for the row, are for its card. */
function asksOf(run: RunRow, [number, call, step]: Asks, state: TableData): TemplateResult {
  const asked = state.asked.has(run.id) || state.gone;
  const button = (part: "approve" | "deny", word: string): TemplateResult =>
    html`<button
      type="button"
      class=${`nbagent-button nbagent-act nbagent-${part}`}
      tabindex="-1"
      data-part=${part}
      aria-disabled=${asked}
      aria-label=${`${word} ${call}`}
    >${word}</button>`;
  // in a narrow table the call does not stand beside its buttons: there it is reviewed, too
  const choice = step === undefined ? nothing : html`${button("approve", "Approve")}${button("deny", "Deny")}`;
  return html`<div class="nbagent-cell nbagent-c-says nbagent-asks" role="gridcell" ?data-one=${step !== undefined}
    ><code class="nbagent-asked-line" title=${call}>${call}</code>${choice}<button
      type="button"
      class="nbagent-button nbagent-act nbagent-review"
      tabindex="-1"
      data-part="row"
      aria-label=${`Review ${run.title}`}
    >${number > 1 ? `Review ${number}` : "Review"}</button></div
  >`;
}

/** What says that a run would be asked something else now; nothing at one that is still at work. */
function staleMark(run: RunRow, state: TableData): TemplateResult | typeof nothing {
  const why = hasEnded(run.status) ? state.stale.get(run.id) : undefined;
  if (!why) return nothing;
  return html`<span class="nbagent-stale" title=${`stale: ${why}`}>stale<span class="nbagent-unseen">: ${why}</span></span>`;
}

function saysOf(run: RunRow, waiting: number): TemplateResult {
  const below = waiting ? `${counted(waiting, "member")} ${waiting === 1 ? "waits" : "wait"} for you` : "";
  const said = run.error || below || run.says;
  return html`<div
    class="nbagent-cell nbagent-c-says"
    role="gridcell"
    ?data-prompt=${!said}
    ?data-error=${Boolean(run.error)}
  >${said || run.prompt}</div>`;
}

function progress(facts: Facts, now: number): TemplateResult {
  const words = progressOf(facts, now);
  const done = facts.of - facts.open;
  const parts = [
    ["completed", done - facts.failed - facts.cancelled],
    ["failed", facts.failed],
    ["cancelled", facts.cancelled],
  ] as const;
  return html`<div class="nbagent-cell nbagent-c-says" role="gridcell" title=${words.join(" · ")}
    ><div
      class="nbagent-progress"
      role="progressbar"
      aria-label=${`batch ${facts.title}`}
      aria-valuemin="0"
      aria-valuemax=${facts.of}
      aria-valuenow=${done}
      aria-valuetext=${words.join(", ")}
    >${parts.map(
      ([name, part]) =>
        html`<div class=${`nbagent-progress-part nbagent-p-${name}`} style=${`width: ${(100 * part) / facts.of}%`}></div>`,
    )}</div>${words.join(" · ")}</div
  >`;
}

function timeOf(facts: Facts, now: number): string {
  if (facts.began === null) return "";
  if (facts.ended !== null) return brief(facts.ended - facts.began);
  return brief(hasEnded(facts.status) ? 0 : now - facts.began);
}
