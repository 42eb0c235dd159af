/* The rows in sight, drawn with as few elements as fit: a line's element is given to whichever row is there. */

import { html, nothing, render, type TemplateResult } from "lit-html";
import { nowOf, type TableData } from "./model";
import { HEADS, rowTemplate } from "./row";
import { isSortColumn, type Placed, type Sort, type SortColumn } from "./sort";

export const ROW_PX = 34;
export const ROWS_SEEN = 12;
const ROWS_SEEN_BESIDE = 6; // while a run is open below
const SPARE_ROWS = 6; // drawn above and below what is in sight
const MOVED_MS = 300; // a row that has just moved under the pointer, or got another button, hears no click

export type Part = "row" | "twist" | "action" | "approve" | "deny";

export interface GridActions {
  sort(by: SortColumn): void;
  key(event: KeyboardEvent): void;
  click(key: string, part: Part): void;
  scroll(): void;
}

/** What the grid is told of the view. */
export interface Seen {
  lines: Placed[];
  active: string | null;
  open: string[]; // the runs below
  sort: Sort | null;
}

export interface Grid {
  el: HTMLElement;
  /** Say why there are no rows: a sentence, and a sample or "clear"; null where there are. */
  showEmpty(said: [string, string] | null, clear: () => void): void;
  showSort(sort: Sort | null): void;
  reveal(number: number): void;
  paint(seen: Seen, state: TableData): void;
}

let gridsMade = 0;

export function gridView(on: GridActions): Grid {
  const prefix = `nbagent-grid-${(gridsMade += 1)}-${Math.random().toString(36).slice(2, 8)}`;
  const el = gridElement();
  const part = (name: string, role: string | null): HTMLElement => {
    const made = document.createElement("div");
    made.className = `nbagent-${name}`;
    if (role) made.setAttribute("role", role);
    return made;
  };
  const headGroup = part("grid-head", "rowgroup");
  const sizer = part("sizer", "rowgroup");
  const empty = part("empty", null);
  el.append(headGroup, sizer, empty);
  render(headTemplate(on.sort, null), headGroup);
  const offers = new Offers(sizer);
  let rowsShown = 0;
  let counted = -1;

  el.addEventListener("scroll", on.scroll, { passive: true });
  el.addEventListener("keydown", (event) => {
    if (event.target === el) on.key(event);
  });
  sizer.addEventListener("click", (event) => {
    const target = event.target as Element;
    const line = target.closest<HTMLElement>(".nbagent-line");
    if (!line) return;
    const part = (target.closest<HTMLElement>("[data-part]")?.dataset.part ?? "row") as Part;
    if (part !== "row" && part !== "twist" && !offers.meant(event, line)) return;
    // a text that was just selected is being copied, not opened
    if (part === "row" && String(getSelection())) return;
    on.click(line.dataset.key ?? "", part);
  });
  new ResizeObserver(on.scroll).observe(el);

  return {
    el,
    showSort: (sort) => void render(headTemplate(on.sort, sort), headGroup),
    showEmpty(said, clear) {
      empty.hidden = !said;
      headGroup.hidden = sizer.hidden = Boolean(said);
      render(said ? emptyTemplate(said, clear) : nothing, empty);
    },
    reveal(number) {
      const head = headGroup.offsetHeight;
      const top = number * ROW_PX;
      if (top < el.scrollTop) el.scrollTop = top;
      else if (top + ROW_PX + head > el.scrollTop + el.clientHeight) {
        el.scrollTop = top + ROW_PX + head - el.clientHeight;
      }
    },
    paint(seen, state) {
      const { lines } = seen;
      const height = `${lines.length * ROW_PX}px`;
      if (sizer.style.height !== height) sizer.style.height = height;
      const shown = Math.min(seen.open.length ? ROWS_SEEN_BESIDE : ROWS_SEEN, Math.max(1, lines.length));
      if (shown !== rowsShown) el.style.setProperty("--nb-rows", String((rowsShown = shown))); // a new style for each row
      if (lines.length !== counted) el.setAttribute("aria-rowcount", String((counted = lines.length) + 1));
      const first = Math.max(0, Math.floor(el.scrollTop / ROW_PX) - SPARE_ROWS);
      const last = Math.min(lines.length, Math.ceil((el.scrollTop + el.clientHeight) / ROW_PX) + SPARE_ROWS);
      const now = nowOf(state);
      const inSight = lines.slice(first, last);
      render(
        inSight.map((line, at) => rowTemplate(line, `${prefix}-${at}`, first + at, { seen, state, now })),
        sizer,
      );
      offers.look();
      const active = inSight.findIndex((line) => line.node.key === seen.active);
      if (active >= 0) el.setAttribute("aria-activedescendant", `${prefix}-${active}`);
      else el.removeAttribute("aria-activedescendant");
    },
  };
}

function gridElement(): HTMLElement {
  const el = document.createElement("div");
  el.className = "nbagent-grid";
  el.tabIndex = 0;
  el.setAttribute("role", "treegrid");
  el.setAttribute("aria-label", "Runs");
  el.setAttribute("aria-description", "Enter opens a run, Right and Left unfold and fold, Delete cancels.");
  return el;
}

/** What each line offers to click on, so that no click hits what has just moved under the pointer. */
class Offers {
  #known = new WeakMap<HTMLElement, string>();
  #timers = new WeakMap<HTMLElement, ReturnType<typeof setTimeout>>();
  #pressed: string | null = null;

  constructor(private readonly home: HTMLElement) {
    home.addEventListener("pointerdown", (event) => {
      const line = (event.target as Element).closest<HTMLElement>(".nbagent-line");
      this.#pressed = line && !line.hasAttribute("data-moved") ? (line.dataset.offer ?? null) : null;
    });
  }

  /** Whether a click is on what stood there when it began; a key or a script says what it means. */
  meant(event: MouseEvent, line: HTMLElement): boolean {
    return !event.detail || this.#pressed === line.dataset.offer;
  }

  /** Mark the lines that offer something else than at the last look. */
  look(): void {
    for (const line of this.home.children as HTMLCollectionOf<HTMLElement>) {
      const offer = line.dataset.offer ?? "";
      const before = this.#known.get(line);
      this.#known.set(line, offer);
      if (before === undefined || before === offer) continue;
      line.setAttribute("data-moved", "");
      clearTimeout(this.#timers.get(line));
      this.#timers.set(
        line,
        setTimeout(() => line.removeAttribute("data-moved"), MOVED_MS),
      );
    }
  }
}

function headTemplate(onSort: (by: SortColumn) => void, sort: Sort | null): TemplateResult {
  return html`<div class="nbagent-line" role="row">
    ${HEADS.map(([name, word]) => {
      const order = sort?.by === name ? (sort.down ? "descending" : "ascending") : nothing;
      return html`<div class=${`nbagent-cell nbagent-c-${name}`} role="columnheader" aria-sort=${order}>
        ${isSortColumn(name)
          ? html`<button type="button" class="nbagent-sort" @click=${() => onSort(name)}>${word}</button>`
          : word || html`<span class="nbagent-unseen">Action</span>`}
      </div>`;
    })}
  </div>`;
}

function emptyTemplate([sentence, more]: [string, string], clear: () => void): TemplateResult {
  const rest =
    more === "clear"
      ? html`<button type="button" class="nbagent-button" @click=${clear}>Clear filters</button>`
      : more
        ? html`<p class="nbagent-todo">Launch one from a cell:</p>
            <pre class="nbagent-sample">${more}</pre>`
        : nothing;
  return html`<p>${sentence}</p>
    ${rest}`;
}
