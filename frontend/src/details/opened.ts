/* A run below the table: a bar of what can be done with it, its card, and its details. */

import { html, nothing, render, type TemplateResult } from "lit-html";
import { copyButton } from "../dom";
import { hasEnded, type Command, type Details } from "../protocol";
import { actionOf, cancels } from "../table/actions";
import type { TableData } from "../table/model";
import { treeOf } from "../table/tree";
import { sections, type TraceView } from "./details";
import { forkForm, judgement } from "./experiments";
import type { OpenedRun } from "./model";

const FORK = "fork"; // the bar's own form, beside the keys of steps

export interface OpenedServices {
  state: TableData;
  run: OpenedRun;
  command(name: Command, id: string, more?: object): void;
  close(): void;
  /** Show the next run that is opened beside this one. */
  compare(): void;
  comparing(): boolean;
  /** Milliseconds on the clock that all opened runs share. */
  span(): number;
  /** The run has changed: all opened ones are drawn. */
  redraw(): void;
}

export interface OpenedView {
  /** Draw after each change of the table or the run. */
  update(): void;
  end(): void;
}

/** Show a run in `home`. */
export function openedView(home: HTMLElement, id: string, services: OpenedServices): OpenedView {
  const { run, close } = services;
  const open = new Set<string>();
  const fork = (step: number, prompt: string): void => services.command("fork", id, { step, prompt });
  const toggle = (key: string): void => {
    if (!open.delete(key)) open.add(key);
    update();
  };
  const root = document.createElement("article");
  root.className = "nbagent-opened";
  root.setAttribute("aria-label", "opened run");
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
  });
  const place = document.createElement("div");
  place.className = "nbagent-opened-card";
  let endCard: (() => void) | null = null;
  home.append(root);

  const update = (): void => {
    render(openedTemplate(id, place, services, { open, toggle, fork: run.details && !services.state.gone ? fork : null, span: services.span() }), root);
    if (run.card && !endCard) endCard = run.renderCard(place);
  };
  const unfollow = run.follow(services.redraw);
  update();
  requestAnimationFrame(() => root.scrollIntoView({ block: "nearest", behavior: "auto" }));
  return {
    update,
    end() {
      unfollow();
      endCard?.();
      root.remove();
    },
  };
}

function openedTemplate(id: string, place: HTMLElement, services: OpenedServices, view: TraceView): TemplateResult {
  const { state, run, command, close } = services;
  const line = state.rows.get(id);
  const [node] = line ? treeOf(new Map([[id, line]]), new Map()) : [];
  const { command: name, word } = node?.line ? actionOf(node, state) : { command: null, word: "" };
  const ended = Boolean(line && hasEnded(line.row.status) && !line.row.parent);
  const again = word && !cancels(name) && word !== "cancelling…";
  const waiting = state.gone ? "It cannot be opened: the kernel is gone." : "Opening…";
  return html`<div class="nbagent-opened-bar">
      <p class="nbagent-opened-id">${line ? line.row.prompt || line.row.title : id}</p>
      <button
        type="button"
        class="nbagent-button nbagent-again"
        ?hidden=${!again}
        aria-disabled=${!name}
        @click=${() => name && command(name, id)}
      >${word}</button>
      ${copies(run.details)}
      ${view.fork && ended
        ? html`<button type="button" class="nbagent-button nbagent-fork-open" aria-expanded=${view.open.has(FORK)} @click=${() => view.toggle(FORK)}>Fork</button>`
        : nothing}
      <button
        type="button"
        class="nbagent-button nbagent-compare"
        title="The next run that you open stands beside this one"
        aria-pressed=${services.comparing()}
        @click=${services.compare}
      >Compare</button>
      <button type="button" class="nbagent-button nbagent-shut" @click=${close}>Close</button>
    </div>
    <p class="nbagent-waiting" ?hidden=${run.card !== null}>${waiting}</p>
    ${view.fork && view.open.has(FORK) ? forkForm(0, run.details?.prompt ?? "", view.fork) : nothing}
    ${place}
    ${run.details && ended && !state.gone ? judgement(run.details.scores, (more) => command("score", id, more)) : nothing}
    <div class="nbagent-sections">${run.details ? sections(run.details, view) : nothing}</div>`;
}

function copies(details: Details | null): TemplateResult | typeof nothing {
  if (!details) return nothing;
  const answer = details.answer ? copyButton(details.answer, "", "Copy answer") : nothing;
  return html`${answer}${copyButton(details.code, `Copy ${details.code}`, "Copy code")}`;
}
