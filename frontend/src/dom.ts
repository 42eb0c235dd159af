/* What all views share of the page: copying, focus, regions that scroll. */

import { html, nothing, render, type TemplateResult } from "lit-html";

const COPIED_MS = 1500;

/** A button that copies a text; `label` is what a screen reader says. */
export function copyButton(text: string, label = "", word = "Copy"): TemplateResult {
  const copy = (event: Event): void => void copyText(event.currentTarget as HTMLElement, text, word);
  return html`<button
    type="button"
    class="nbagent-button nbagent-copy"
    aria-label=${label || nothing}
    .textContent=${word}
    @click=${copy}
  ></button>`;
}

/** Copy a text, and say so on the button for a moment. */
export async function copyText(button: HTMLElement, text: string, word = "Copy"): Promise<void> {
  let copied = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copied = false; // no permission, or no secure context
  }
  button.textContent = copied ? "Copied" : "Select it";
  setTimeout(() => {
    button.textContent = word;
  }, COPIED_MS);
}

/** Put a button that copies it beside a block of code of an answer. */
export function addCopy(code: HTMLElement): void {
  code.dataset.copy = "";
  code.tabIndex = 0; // it scrolls sideways
  const home = document.createElement("div");
  home.className = "nbagent-code-block";
  code.replaceWith(home);
  const button = document.createElement("div");
  render(copyButton(code.textContent ?? "", "Copy code"), button);
  home.append(code, button);
}

const watched = new WeakSet<Element>();

/** A region that scrolls can be reached and scrolled by keyboard; one that does not is no tab stop. */
export function reachable(region: HTMLElement): void {
  if (!watched.has(region)) {
    watched.add(region);
    new ResizeObserver(() => reachable(region)).observe(region); // before it is in the page it has no size
  }
  if (region.scrollHeight > region.clientHeight + 1 || region.scrollWidth > region.clientWidth + 1) region.tabIndex = 0;
  else region.removeAttribute("tabindex");
}

/** Hide the static snapshot of this run or table as long as a live view stands for it. */
export function hideSnapshot(key: string): () => void {
  const style = document.createElement("style");
  if (/^[\w-]+$/.test(key ?? "")) {
    style.textContent = `.${key}, .jp-OutputArea-child:has(.${key}) { display: none !important; }`;
  }
  document.head.append(style);
  return () => style.remove();
}
