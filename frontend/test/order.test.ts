import { describe, expect, it } from "vitest";
import { numericFields, orderedItems, type ItemGroup } from "../src/batch/order";
import type { Item } from "../src/protocol";

const ITEMS: Item[] = [
  [2, "c", "completed", "r2", "", false, ["good", 3]],
  [0, "a", "completed", "r0", "", false, ["bad", 1]],
  [3, "d", "error", "r3", "the server hung up", false, []],
  [1, "b", "timeout", "r1", "too slow", false, []],
];
const labels = (group: ItemGroup, text = ""): string[] =>
  orderedItems(ITEMS, { group, text }, (item) => `prompt-${item[1]}`).map((item) => item[1]);

describe("orderedItems", () => {
  it.each([
    ["all", "", ["b", "d", "a", "c"]],
    ["failed", "", ["b", "d"]],
    ["answered", "", ["a", "c"]],
    ["all", "HUNG server", ["d"]],
    ["all", "prompt-c", ["c"]],
    ["failed", "good", []],
  ] as const)("of %s, searched for '%s': failed first, then in the order given", (group, text, found) =>
    expect(labels(group, text)).toEqual(found),
  );
});

describe("numericFields", () => {
  it("are those whose known values are numbers", () => {
    expect(numericFields(ITEMS, ["kind", "stars", "empty"])).toEqual([false, true, false]);
  });
});
