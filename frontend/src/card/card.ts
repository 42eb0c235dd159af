/* The card's view: one run, drawn anew at each change. Its text grows in place. */

import { html, nothing, render, type TemplateResult } from "lit-html";
import { addCopy, copyButton, reachable } from "../dom";
import { duration } from "../format";
import { bell } from "../notify";
import { hasFailed, type Approval, type CardRow, type Member } from "../protocol";
import { approvals, standing } from "./approvals";
import type { CardData, Decision } from "./model";
import { sending } from "./sending";
import { structured, type Form } from "./structured";

const NEAR_BOTTOM_PX = 32;
const CANCEL_WORDS = {
  ready: "Cancel",
  heard: "cancelling…",
  waiting: "waits for the kernel",
  gone: "kernel is gone",
} as const;
const RETRY_WORDS = { ready: "Retry", heard: "retrying…", gone: "kernel is gone" } as const;

export interface CardActions {
  cancel(): void;
  retry(): void;
  send(text: string): void;
  decide(call: Approval, command: Decision): void;
  endAlways(): void;
}

export interface CardView {
  /** Draw what changed: `appended` is the text's growth, null redraws all of it. */
  update(appended: string | null): void;
  end(): void;
}

/** Draw a card in `el`. */
export function cardView(el: HTMLElement, state: CardData, on: CardActions): CardView {
  const text = document.createTextNode("");
  const answer = document.createElement("div");
  answer.className = "nbagent-answer";
  answer.setAttribute("role", "group");
  answer.setAttribute("aria-label", "answer");
  answer.append(text);
  let form: Form | null = null; // what a person chose
  let laidOut: CardRow | null = null;
  el.classList.add("nbagent");

  const choose = (chosen: Form): void => {
    form = chosen;
    laidOut = null;
    draw();
  };

  const draw = (): void => {
    const root = el.querySelector<HTMLElement>(".nbagent-card");
    const focused = root?.contains(document.activeElement) ? (document.activeElement as HTMLElement) : null;
    render(cardTemplate(state, answer, form, on, choose), el);
    // a button that went away hands its focus to the card
    const lost = focused && (!focused.isConnected || focused.hidden);
    if (lost) root?.focus({ preventScroll: true });
    if (laidOut !== state.row) {
      laidOut = state.row;
      for (const region of el.querySelectorAll<HTMLElement>(".nbagent-prose, .nbagent-form")) reachable(region);
      for (const code of el.querySelectorAll<HTMLElement>(".nbagent-prose pre:not([data-copy])")) addCopy(code);
    }
  };

  const showText = (appended: string | null): void => {
    const sticks = answer.scrollHeight - answer.scrollTop - answer.clientHeight < NEAR_BOTTOM_PX;
    if (appended === null || text.length + appended.length !== state.text.length) text.data = state.text;
    else if (appended) text.appendData(appended);
    answer.hidden = !state.text || Boolean(state.row.html);
    if (sticks && !state.row.final) answer.scrollTop = answer.scrollHeight;
    reachable(answer);
  };

  const clock = setInterval(() => state.row.final || draw(), 1000);
  return {
    update(appended) {
      draw();
      showText(appended);
    },
    end: () => clearInterval(clock),
  };
}

function cardTemplate(
  state: CardData,
  answer: HTMLElement,
  form: Form | null,
  on: CardActions,
  choose: (form: Form) => void,
): TemplateResult {
  const { row } = state;
  return html`<section class="nbagent-card" tabindex="-1" data-status=${row.status} aria-label=${`run ${row.title}`}>
    ${head(state, on)}
    <p class="nbagent-banner" ?hidden=${!row.banner}>${bannerOf(row.banner)}</p>
    <div class="nbagent-body">
      ${members(row.members)}
      <p class="nbagent-waiting" ?hidden=${!row.waiting}>${row.waiting}</p>
      ${approvals(row.approvals, state.decided, on.decide)} ${standing(row.always, on.endAlways)} ${structured(row, form, choose)}
      <div
        class="nbagent-prose"
        role="group"
        aria-label="answer"
        ?hidden=${!row.html}
        .innerHTML=${row.html ?? ""}
      ></div>
      ${row.form ? nothing : answer}
      <details class="nbagent-raw" ?hidden=${!row.form}>
        <summary>raw answer</summary>
        ${row.form ? answer : nothing}
      </details>
      ${activity(row)} ${sending(row, state.sending, on.send)}
      <div class="nbagent-error" ?hidden=${!row.error.some(Boolean)}>
        ${row.error.filter(Boolean).map((line, at) => html`<p class=${at ? "nbagent-todo" : "nbagent-what"}>${line}</p>`)}
      </div>
    </div>
    ${foot(row)}
  </section>`;
}

function head({ row, cancel, retry, beganAt }: CardData, on: CardActions): TemplateResult {
  const elapsed = row.began_ms === null ? "" : duration(performance.now() - beganAt);
  const word = CANCEL_WORDS[cancel];
  return html`<header class="nbagent-head">
    <span class="nbagent-status" role="status" aria-live="polite"
      ><span class="nbagent-chip">${row.reason ? `${row.status}: ${row.reason}` : row.status}</span></span
    >
    <div class="nbagent-names">
      <span class="nbagent-title">${row.title}</span
      ><span class="nbagent-origin">${[row.agent, row.model].filter(Boolean).join(" · ")}</span>
    </div>
    <span class="nbagent-elapsed">${row.final ? row.took : elapsed}</span>
    ${row.final ? nothing : bell()}
    <button
      type="button"
      class="nbagent-button nbagent-cancel"
      ?hidden=${row.final}
      aria-disabled=${cancel !== "ready"}
      aria-label=${cancel === "ready" ? `Cancel ${row.title}` : word}
      @click=${on.cancel}
    >${word}</button>
    ${again(row, retry, on)}
  </header>`;
}

/** A run that came to nothing can be asked again where it stands. */
function again(row: CardRow, retry: CardData["retry"], on: CardActions): TemplateResult | typeof nothing {
  if (!row.final || retry === "never" || !(hasFailed(row.status) || row.status === "cancelled")) return nothing;
  const word = RETRY_WORDS[retry];
  return html`<button
    type="button"
    class="nbagent-button nbagent-retry"
    aria-disabled=${retry !== "ready"}
    aria-label=${retry === "ready" ? `Retry ${row.title}` : word}
    @click=${on.retry}
  >${word}</button>`;
}

function members(rows: Member[]): TemplateResult {
  return html`<ul class="nbagent-members" aria-label="members" ?hidden=${!rows.length}>
    ${rows.map(
      (row) =>
        html`<li class="nbagent-member" data-status=${row.status} style=${`padding-inline-start: ${(row.depth - 1) * 1.5}em`}>
          <span class="nbagent-name">${row.name}</span><span class="nbagent-state">${row.status}</span
          ><span class="nbagent-value">${row.tokens}</span>
        </li>`,
    )}
  </ul>`;
}

function activity(row: CardRow): TemplateResult {
  const lines: [string, string][] = [
    ...row.calls.map((line): [string, string] => ["call", line]),
    ...(row.called ? [["called", row.called] as [string, string]] : []),
    ...(row.retry ? [["retry", row.retry] as [string, string]] : []),
    ...row.notices.map((line): [string, string] => ["notice", line]),
  ];
  return html`<div class="nbagent-activity" ?hidden=${!lines.length}>
    ${lines.map(([kind, line]) => html`<p class=${`nbagent-${kind}`}>${line}</p>`)}
  </div>`;
}

function foot(row: CardRow): TemplateResult {
  return html`<footer class="nbagent-foot">
    <div class="nbagent-facts" ?hidden=${!row.facts.length}>
      ${row.facts.map(
        ([name, value]) =>
          html`<span class="nbagent-fact" title=${value === "?" ? "the provider did not say" : nothing}
            ><span class="nbagent-name">${name} </span><span class="nbagent-value">${value}</span></span
          >`,
      )}
    </div>
    <div class="nbagent-access">
      <code class="nbagent-code">${row.code}</code>${copyButton(row.code, `Copy ${row.code}`)}
    </div>
  </footer>`;
}

/** The demo's mark in words, and what is to be typed as code, each on a line of its own. */
function bannerOf(banner: string): TemplateResult[] {
  return banner.split("\n").map((line, at) => (at ? html`<br /><code>${line}</code>` : html`${line}`));
}
