/* Which rows of a batch stand in its card, and in which order: failed first, then as they were given. Pure. */

import { hasFailed, type Item, type Status } from "../protocol";

export type ItemGroup = "all" | "failed" | "answered";

export interface ItemsWanted {
  text: string;
  group: ItemGroup;
}

/** Whether a row was asked, or could not be, and has no answer. */
export const isFailed = (item: Item): boolean => Boolean(item[4]) || hasFailed(item[2] as Status);

const hayOf = ([, label, status, , error, , cells]: Item, prompt: string): string =>
  [label, status, error, prompt, ...cells].join("\n").toLowerCase();

/** Return the rows that are wanted; `promptOf` finds what a row was asked. */
export function orderedItems(items: Iterable<Item>, want: ItemsWanted, promptOf: (item: Item) => string): Item[] {
  const words = want.text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = [...items].filter((item) => {
    if (want.group !== "all" && isFailed(item) !== (want.group === "failed")) return false;
    if (!words.length) return true;
    const hay = hayOf(item, promptOf(item));
    return words.every((word) => hay.includes(word));
  });
  return found.sort((a, b) => Number(isFailed(b)) - Number(isFailed(a)) || a[0] - b[0]);
}

/** Which columns hold numbers alone, and stand flush right. */
export function numericFields(items: Item[], fields: string[]): boolean[] {
  return fields.map((_, at) => {
    const known = items.map((item) => item[6][at]).filter((value) => value !== null && value !== undefined);
    return known.length > 0 && known.every((value) => typeof value === "number");
  });
}
