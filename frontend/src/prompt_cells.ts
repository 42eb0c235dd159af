/* Cells that hold a prompt are text, not Python: their colours say so where the front end gives a widget its notebook. */

import type { Model } from "./protocol";

const MAGIC = /^\s*%%agent(_bg)?\b/;

interface Cell {
  mimeType?: string;
  sharedModel?: { getSource?(): string };
}

/** Colour the notebook's prompt cells as text. JupyterLab's own models: detected, never relied on. */
export async function plainPrompts(model: Model): Promise<void> {
  try {
    const manager = (await model.widget_manager) as { context?: { model?: { cells?: Iterable<Cell> } } } | undefined;
    for (const cell of manager?.context?.model?.cells ?? []) {
      if (cell.mimeType !== "text/plain" && MAGIC.test(cell.sharedModel?.getSource?.() ?? "")) cell.mimeType = "text/plain";
    }
  } catch {
    // another front end colours its cells as it does
  }
}
