/* What is recorded of an opened run: its setup, its trace, messages, names. */

import { html, nothing, type TemplateResult } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";
import { copyButton } from "../dom";
import { forkForm } from "./experiments";
import { count } from "../format";
import type { Details, MessageRow, RoleText, Setup, TraceRow } from "../protocol";

type Part = TemplateResult | typeof nothing;

/** Which bars are unfolded, and how long the clock of all runs beside each other is. */
export interface TraceView {
  open: ReadonlySet<string>;
  toggle(key: string): void;
  /** Go on after a step with a further message; null where it cannot be. */
  fork: ((step: number, prompt: string) => void) | null;
  span: number;
}

export function sections(details: Details, view: TraceView): Part[] {
  const { setup, steps, messages } = details;
  const more = details.left
    ? html`<p class="nbagent-more">${count(details.left)} earlier messages are in the store</p>`
    : nothing;
  return [
    setup.instructions || setup.tools.length || setup.settings.length
      ? section("Setup", 0, false, setupOf(setup))
      : nothing,
    steps.rows.length ? section("Steps", steps.rows.length, true, trace(steps.rows, view)) : nothing,
    details.traceback ? section("Traceback", 0, false, block(details.traceback)) : nothing,
    messages.length
      ? section("Messages", messages.length + details.left, false, [more, messages.map(messageOf)])
      : details.prompt
        ? section("Prompt", 0, false, block(details.prompt))
        : nothing,
    section("About", 0, false, [pairs(details.about), copyLine(details.code)]),
  ];
}

function section(name: string, number: number, open: boolean, content: unknown): TemplateResult {
  const counted = number ? html`<span class="nbagent-count"> ${count(number)}</span>` : nothing;
  return html`<details class="nbagent-section" data-name=${name} ?open=${open}>
    <summary>${name}${counted}</summary>
    <div class="nbagent-section-body">${content}</div>
  </details>`;
}

/** What the run was set up with: system prompt, tools with their definitions, settings. */
function setupOf({ instructions, tools, settings }: Setup): Part[] {
  return [
    instructions ? html`<p class="nbagent-label">System prompt</p>${block(instructions)}` : nothing,
    tools.length ? html`<p class="nbagent-label">Tools</p>` : nothing,
    html`${tools.map(
      (tool) =>
        html`<details class="nbagent-tool">
          <summary><code class="nbagent-tool-call">${tool.name}</code><span class="nbagent-tool-note">${firstLine(tool.description)}</span></summary>
          ${tool.description.includes("\n") ? block(tool.description) : nothing}${block(tool.parameters)}
        </details>`,
    )}`,
    settings.length ? html`<p class="nbagent-label">Settings</p>${pairs(settings)}` : nothing,
  ];
}

const firstLine = (text: string): string => text.split("\n", 1)[0] ?? "";
const keyOf = (row: TraceRow): string => [row.kind, row.depth, row.step, row.at_ms, row.name].join(" ");

/** One bar a call on one clock: who worked when, and for how long; a click shows what went in and came out. */
function trace(rows: TraceRow[], { open, toggle, fork, span }: TraceView): TemplateResult {
  return html`<ol class="nbagent-steps">
    ${repeat(rows, keyOf, (row) => {
      const key = keyOf(row);
      const bar = `left: ${(100 * row.at_ms) / span}%; width: ${Math.max(0.6, (100 * row.ms) / span)}%`;
      const failed = row.status === "completed" || row.kind === "pause" ? "" : `${row.status} · `;
      const name = row.kind === "model" ? `${row.step} · ${row.name}` : row.name;
      return html`<li class="nbagent-step" data-kind=${row.kind} data-status=${row.status} style=${`--nb-depth: ${row.depth}`}>
        <button type="button" class="nbagent-step-head" aria-expanded=${open.has(key)} @click=${() => toggle(key)}>
          <span class="nbagent-step-name" title=${name}>${name}</span>
          <span class="nbagent-track" aria-hidden="true"><span class="nbagent-bar" style=${bar}></span></span>
          <span class="nbagent-step-note">${failed + row.note}</span>
        </button>
        ${open.has(key) ? stepBody(row) : nothing}
        ${fork && open.has(key) && row.kind === "model" && !row.depth && row.status === "completed"
          ? forkForm(row.step, "", fork)
          : nothing}
      </li>`;
    })}
  </ol>`;
}

function stepBody(row: TraceRow): TemplateResult {
  const texts = (name: string, list: RoleText[]): Part => {
    const some = list.filter((one) => one.text);
    if (!some.length) return nothing;
    return html`${some.map(
      ({ role, text }) => html`<p class="nbagent-label">${role === name ? name : `${name}: ${role}`}</p>${block(text)}`,
    )}`;
  };
  return html`<div class="nbagent-step-body">
    ${row.about ? html`<p class="nbagent-more">${row.about}</p>` : nothing} ${texts("in", row.given)} ${texts("out", row.came)}
  </div>`;
}

function messageOf(message: MessageRow): TemplateResult {
  return html`<div class="nbagent-message">
    <p class="nbagent-label">${[message.role, message.name].filter(Boolean).join(" · ")}</p>
    ${message.text ? block(message.text) : nothing}
    ${message.calls.map((call) => html`<p class="nbagent-call">calls ${call}</p>`)}
    ${message.files.map((file) => html`<p class="nbagent-more">${file}</p>`)}
  </div>`;
}

/** A text as it is, that scrolls in itself and can be scrolled by keyboard, with a button that copies it. */
function block(text: string): TemplateResult {
  return html`<div class="nbagent-block">
    <pre class="nbagent-block-text" tabindex="0">${text}</pre>
    ${copyButton(text)}
  </div>`;
}

function pairs(list: [string, string][]): TemplateResult {
  return html`<dl class="nbagent-pairs">${list.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

function copyLine(code: string): TemplateResult {
  return html`<p class="nbagent-access">
    <code class="nbagent-code">${code}</code>${copyButton(code, `Copy ${code} from the list`)}
  </p>`;
}
