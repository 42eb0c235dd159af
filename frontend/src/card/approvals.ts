/* The calls that wait for a person, each with its arguments as text and its own two buttons. */

import { html, nothing, type TemplateResult } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";
import type { Approval } from "../protocol";
import { keyOf, type CardData, type Decision } from "./model";

const WORDS = { always: "Always", approve: "Approve", deny: "Deny" } as const;
const HEARD = { always: "approving…", approve: "approving…", deny: "denying…", gone: "kernel is gone" } as const;

export function approvals(
  calls: Approval[],
  decided: CardData["decided"],
  decide: (call: Approval, command: Decision) => void,
): TemplateResult {
  return html`<div class="nbagent-approvals" ?hidden=${!calls.length}>
    ${repeat(calls, keyOf, (call) => {
      const said = decided.get(keyOf(call));
      const button = (command: Decision): TemplateResult =>
        html`<button
          type="button"
          class=${`nbagent-button nbagent-${command}`}
          aria-label=${`${WORDS[command]} ${call.by ? `for ${call.by}: ` : ""}${call.call}`}
          aria-disabled=${said !== undefined}
          @click=${() => decide(call, command)}
        >${WORDS[command]}</button>`;
      return html`<div class="nbagent-approval">
        <div class="nbagent-asking">
          <span class="nbagent-by" ?hidden=${!call.by}>${call.by}</span><code class="nbagent-asked">${call.call}</code>
        </div>
        <div class="nbagent-choice">
          ${button("approve")}${call.always ? button("always") : nothing}${button("deny")}<span class="nbagent-said">${said ? HEARD[said] : ""}</span>
        </div>
      </div>`;
    })}
  </div>`;
}

/** What runs without asking, as a person has said in this kernel, and the way to take that back. */
export function standing(always: string[], end: () => void): TemplateResult {
  return html`<p class="nbagent-always" ?hidden=${!always.length}>
    <button type="button" class="nbagent-button" title="ask me again" @click=${end}
      >${always.join(", ")} runs without asking ✕</button>
  </p>`;
}
