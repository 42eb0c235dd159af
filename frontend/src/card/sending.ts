/* The line in which a person tells a run something on the way, and what its model has not had yet. */

import { html, nothing, type TemplateResult } from "lit-html";
import type { CardRow } from "../protocol";

export type Sending = "ready" | "heard" | "gone";

const WORDS = { ready: "Send", heard: "sending…", gone: "kernel is gone" } as const;

export function sending(row: CardRow, how: Sending, send: (text: string) => void): TemplateResult {
  const submit = (event: Event): void => {
    event.preventDefault();
    const input = (event.target as HTMLFormElement).querySelector("input")!;
    const text = input.value.trim();
    if (!text || how !== "ready") return;
    input.value = "";
    send(text);
  };
  return html`<div class="nbagent-sending" ?hidden=${!row.takes_messages}>
    ${row.sent.map((text) => html`<p class="nbagent-sent">with its next step: ${text}</p>`)}
    ${
      row.takes_messages
        ? html`<form class="nbagent-send" @submit=${submit}>
            <input type="text" class="nbagent-message" placeholder="Tell it something" aria-label=${`Tell ${row.title} something`} />
            <button type="submit" class="nbagent-button" aria-disabled=${how !== "ready"}>${WORDS[how]}</button>
          </form>`
        : nothing
    }
  </div>`;
}
