/* What is recorded of an opened run: steps, tool calls, messages, names. */

import { html, nothing, type TemplateResult } from "lit-html";
import { copyButton } from "../dom";
import { count } from "../format";
import type { Details, MessageRow, StepRow, ToolRow } from "../protocol";

type Part = TemplateResult | typeof nothing;

export function sections(details: Details): Part[] {
  const { steps, tools, messages } = details;
  const more = details.left
    ? html`<p class="nbagent-more">${count(details.left)} earlier messages are in the store</p>`
    : nothing;
  return [
    steps.rows.length ? section("Steps", steps.rows.length, true, timeline(steps.span_ms, steps.rows)) : nothing,
    tools.length ? section("Tool calls", tools.length, true, tools.map(toolOf)) : nothing,
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

/** One bar a call on one clock: who worked when, and for how long. */
function timeline(span: number, rows: StepRow[]): TemplateResult {
  return html`<ol class="nbagent-steps">
    ${rows.map((row) => {
      const style = `left: ${(100 * row.at_ms) / span}%; width: ${Math.max(0.6, (100 * row.ms) / span)}%`;
      const failed = row.status === "completed" ? "" : `${row.status} · `;
      return html`<li class="nbagent-step" data-kind=${row.kind} data-status=${row.status}>
        <span class="nbagent-step-name">${`${row.step}  ${row.name}`}</span>
        <div class="nbagent-track" aria-hidden="true"><div class="nbagent-bar" style=${style}></div></div>
        <span class="nbagent-step-note">${failed + row.note}</span>
      </li>`;
    })}
  </ol>`;
}

function toolOf(call: ToolRow): TemplateResult {
  const failed = call.status === "completed" ? "" : ` · ${call.status}`;
  const part = (name: string, text: string): Part =>
    text ? html`<p class="nbagent-label">${name}</p>${block(text)}` : nothing;
  return html`<details class="nbagent-tool">
    <summary><code class="nbagent-tool-call">${call.call}</code><span class="nbagent-tool-note">${call.took}${failed}</span></summary>
    ${part("Arguments", call.arguments || "{}")}${part("Error", call.error)}${part("Result", call.result)}
  </details>`;
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
