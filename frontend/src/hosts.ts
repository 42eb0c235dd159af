/* Where a view stands in a notebook of JupyterLab or Notebook 7.
 *
 * A widget's view is kept in the file as the id of a model that is gone with its kernel: opened again, it says "Error
 * displaying widget: model not found". So the view's output is turned into a place holder as soon as it is shown, an
 * empty element whose class names the widget, and a view is put into each such element that is in the page, now or
 * after a reload. The static output beneath is hidden for as long as there is one. Front ends whose notebooks cannot be
 * reached from here show the view in the output, as any widget; the kernel takes it out when its run has ended.
 */

import type { CellOutputs, NotebookCells } from "./protocol";

const VIEW = "application/vnd.jupyter.widget-view+json";
const HOST = "nbagent-host";

export type Draw = (el: HTMLElement) => () => void;

interface Hosted {
  draw: Draw;
  views: { el: HTMLElement; end: () => void }[];
}

const hosted = new Map<string, Hosted>();
let observer: MutationObserver | null = null;

/** Return the cells of the notebook that the widget's manager serves; null where there is none to reach. */
export async function cellsOf(manager: unknown): Promise<NotebookCells | null> {
  try {
    const found = (await manager) as { context?: { model?: { cells?: NotebookCells } } } | undefined;
    const cells = found?.context?.model?.cells;
    return cells && typeof cells[Symbol.iterator] === "function" ? cells : null;
  } catch {
    return null;
  }
}

/** Turn each output that shows the widget's view into its place holder; false where there is none. */
export function takeOut(cells: NotebookCells, name: string): boolean {
  let found = false;
  for (const cell of cells) found = takeOutOf(cell.outputs, name) || found;
  return found;
}

function takeOutOf(outputs: CellOutputs | undefined, name: string): boolean {
  let found = false;
  for (let at = 0; at < (outputs?.length ?? 0); at += 1) {
    const data = outputs?.get(at).toJSON().data;
    const markup = data?.["text/html"];
    const text = Array.isArray(markup) ? markup.join("") : String(markup ?? "");
    if (!data?.[VIEW] || !text.includes(name)) continue;
    const { [VIEW]: _view, ...rest } = data;
    // in its place: the front end finds outputs that the kernel updates by their number
    outputs?.set(at, { output_type: "display_data", data: rest, metadata: {} });
    found = true;
  }
  return found;
}

/** Put a view into every place holder of that name, from now on until the returned function is called. */
export function host(name: string, draw: Draw): () => void {
  const own: Hosted = { draw, views: [] };
  hosted.set(name, own);
  observer ??= new MutationObserver(fillAll);
  observer.observe(document.body, { childList: true, subtree: true });
  fillAll();
  return () => {
    hosted.delete(name);
    for (const { el, end } of own.views) {
      end();
      el.remove();
    }
    if (!hosted.size) observer?.disconnect();
  };
}

function fillAll(): void {
  for (const place of document.getElementsByClassName(HOST)) {
    const name = [...place.classList].find((one) => hosted.has(one));
    if (name) fill(place, hosted.get(name) as Hosted);
  }
}

/** Put a view into a place holder: one whose own place holder is gone, as after an update of the output, else a new one. */
function fill(place: Element, own: Hosted): void {
  if (own.views.some(({ el }) => el.parentNode === place)) return;
  let view = own.views.find(({ el }) => !el.isConnected);
  if (!view) {
    const el = document.createElement("div");
    el.className = "tex2jax_ignore mathjax_ignore"; // prices are no mathematics; what is, the kernel has laid out
    view = { el, end: () => {} };
    own.views.push(view);
    place.append(el);
    view.end = own.draw(el);
  } else place.append(view.el);
  // the notebook's own styles for prose and tables are not for a view
  place.closest(".jp-RenderedHTMLCommon")?.classList.remove("jp-RenderedHTMLCommon");
}
