/* Desktop notifications, if the person switched them on: a run has ended, or waits for a person. Sent by whichever widget
 * sees it first, in one tab only: a lock of the browser, which all tabs share, is held by who tells. */

import { html, nothing, type TemplateResult } from "lit-html";
import { counted } from "./format";
import { hasEnded, type Status } from "./protocol";

const KEY = "nbagent-notify";
const HELD_MS = 10_000; // for so long another tab that sees the same is kept quiet
const TOGETHER_MS = 800; // what comes within it is one notification
const TITLES = 3; // more are only counted

export interface Told {
  title: string;
  status: Status;
}

const possible = (): boolean =>
  typeof Notification === "function" && Notification.permission !== "denied" && Boolean(navigator.locks);

/** Whether the person has switched them on. */
export function notifies(): boolean {
  try {
    return possible() && Notification.permission === "granted" && localStorage.getItem(KEY) === "on";
  } catch {
    return false; // a page that may keep nothing
  }
}

async function toggle(): Promise<void> {
  const on = !notifies() && (await Notification.requestPermission()) === "granted";
  try {
    localStorage.setItem(KEY, on ? "on" : "off");
  } catch {
    return;
  }
  for (const bell of document.querySelectorAll(".nbagent-bell")) bell.setAttribute("aria-pressed", String(on));
}

/** The bell that switches them on and off; nothing where the page cannot notify. */
export function bell(): TemplateResult | typeof nothing {
  if (!possible()) return nothing;
  return html`<button
    type="button"
    class="nbagent-button nbagent-bell"
    title="Notify me when a run ends or waits for me"
    aria-label="Notify me when a run ends or waits for me"
    aria-pressed=${notifies()}
    @click=${() => void toggle()}
  ></button>`;
}

/** What a change of status is worth telling: the moment's name; null for none. */
export function telling(before: Status | undefined, now: Status): string | null {
  if (before === undefined || before === now || hasEnded(before)) return null;
  return now === "paused" ? "waits" : hasEnded(now) ? "ended" : null;
}

/** Sum up what happened at once: a title, and a line. */
export function wording(all: Told[]): [string, string] {
  const waiting = all.filter((one) => one.status === "paused").length;
  const [first] = all;
  if (first && all.length === 1) {
    return [waiting ? `${first.title} waits for you` : `${first.title}: ${first.status}`, "nbagent"];
  }
  const named = all.slice(0, TITLES).map((one) => `${one.title}: ${one.status === "paused" ? "waits for you" : one.status}`);
  if (all.length > TITLES) named.push(`and ${all.length - TITLES} more`);
  const ended = all.length - waiting;
  const heads = [waiting ? `${counted(waiting, "run")} ${waiting === 1 ? "waits" : "wait"} for you` : "", ended ? `${counted(ended, "run")} ended` : ""];
  return [heads.filter(Boolean).join(", "), named.join("\n")];
}

let together: Told[] = [];

/** Tell of a run, once in all tabs; `moment` names what happened to it. */
export function tell(id: string, moment: string, told: Told): void {
  if (!notifies()) return;
  void navigator.locks.request(`${KEY} ${id} ${moment}`, { ifAvailable: true }, async (lock) => {
    if (!lock) return;
    together.push(told);
    if (together.length === 1) setTimeout(show, TOGETHER_MS);
    await new Promise((resolve) => setTimeout(resolve, HELD_MS));
  });
}

function show(): void {
  const [title, body] = wording(together);
  together = [];
  const shown = new Notification(title, { body, tag: `${KEY} ${title}` });
  shown.onclick = () => window.focus();
}
