/* What a person makes of an opened run: thumbs and a note, and a fork from a step with an edited prompt. */

import { html, nothing, type TemplateResult } from "lit-html";
import type { Score } from "../protocol";

const THUMBS: [boolean, string][] = [
  [true, "Good answer"],
  [false, "Bad answer"],
];
const SAYINGS: Record<string, string> = { yes: "good", no: "bad" };

/** Thumbs, a note that goes with them or by itself, and the scores that the run has. */
export function judgement(scores: Score[], give: (more: { value?: boolean; note: string }) => void): TemplateResult {
  const send = (event: Event, value?: boolean): void => {
    const input = (event.target as Element).closest(".nbagent-judgement")?.querySelector("input");
    const note = input?.value.trim() ?? "";
    if (value === undefined && !note) return;
    if (input) input.value = "";
    give(value === undefined ? { note } : { value, note });
  };
  const thumbs = scores.findLast(({ score }) => score === "thumbs")?.value;
  return html`<div class="nbagent-judgement" role="group" aria-label="your score">
    ${THUMBS.map(
      ([value, name]) =>
        html`<button
          type="button"
          class="nbagent-button nbagent-thumb"
          title=${name}
          aria-label=${name}
          ?data-down=${!value}
          aria-pressed=${thumbs === (value ? "yes" : "no")}
          @click=${(event: Event) => send(event, value)}
        ></button>`,
    )}
    <input
      type="text"
      class="nbagent-search"
      placeholder="Note; Enter keeps it, or a thumb with it"
      aria-label="Note on this run"
      @keydown=${(event: KeyboardEvent) => event.key === "Enter" && send(event)}
    />
    ${scores.map(
      ({ score, value, comment, author }) =>
        html`<span class="nbagent-score" title=${author}
          >${score === "thumbs" ? (SAYINGS[value] ?? value) : `${score}: ${value}`}${comment ? html` <q>${comment}</q>` : nothing}</span
        >`,
    )}
  </div>`;
}

/** A prompt to edit and the button that launches the fork: at step 0 the run's own, later a further message. */
export function forkForm(step: number, prompt: string, fork: (step: number, prompt: string) => void): TemplateResult {
  const launch = (event: Event): void => {
    const text = (event.target as Element).closest(".nbagent-fork")?.querySelector("textarea")?.value ?? "";
    fork(step, text === prompt ? "" : text);
  };
  return html`<div class="nbagent-fork">
    <textarea rows="2" aria-label=${step ? `Further message after step ${step}` : "Prompt of the fork"} placeholder="A further message, or none" .value=${prompt}></textarea>
    <button type="button" class="nbagent-button" @click=${launch}>${step ? `Fork after step ${step}` : "Launch the fork"}</button>
  </div>`;
}
