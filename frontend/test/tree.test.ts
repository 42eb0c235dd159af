import { describe, expect, it } from "vitest";
import { factsOf, forgetSums, progressOf, rateOf, treeOf, type Node } from "../src/table/tree";
import { linesOfRows } from "./rows";

const shape = (nodes: Node[]): unknown[] => nodes.map((node) => (node.kids ? [node.key, ...shape(node.kids)] : node.key));
const only = (rows: Parameters<typeof linesOfRows>[0], told = new Map()): Node => {
  const [node] = treeOf(linesOfRows(rows), told);
  if (!node) throw new Error("no node");
  return node;
};

describe("treeOf", () => {
  it("puts members under their leader, a batch's runs under the batch, and orphans at the top", () => {
    const rows = linesOfRows([
      { id: "lead" },
      { id: "member", parent: "lead" },
      { id: "deeper", parent: "member" },
      { id: "orphan", parent: "gone" },
      { id: "self", parent: "self" },
      { id: "one", batch: "b" },
      { id: "two", batch: "b" },
    ]);
    expect(shape(treeOf(rows, new Map()))).toEqual([
      ["lead", ["member", "deeper"]],
      "orphan",
      "self",
      ["batch b", "one", "two"],
    ]);
  });
});

describe("factsOf", () => {
  it("sums a leader's own cells with its members', unknown left out", () => {
    const facts = factsOf(
      only([
        { id: "lead", tokens: 5, cost: null, priced: false },
        { id: "a", parent: "lead", tokens: 7, cost: 0.5 },
        { id: "b", parent: "lead", tokens: null, cost: null, priced: null },
      ]),
    );
    expect([facts.tokens, facts.cost, facts.priced, facts.of]).toEqual([12, 0.5, false, 2]);
  });

  it.each([
    [["running", "completed"], "running"],
    [["completed", "completed"], "completed"],
    [["completed", "error"], "incomplete"],
    [["cancelled", "cancelled"], "cancelled"],
  ] as const)("says of a batch of %s: %s", (statuses, word) => {
    expect(factsOf(only(statuses.map((status, at) => ({ id: `${at}`, batch: "b", status })))).status).toBe(word);
  });

  it("counts the rows that a batch of this kernel has not asked yet", () => {
    const told = { total: 100, done: 40, failed: 2, not_asked: 0, rate: 4, finished: false, tokens: null, cost: null };
    const facts = factsOf(only([{ id: "a", batch: "b" }], new Map([["b", told]])));
    expect([facts.of, facts.open, facts.failed, facts.status]).toEqual([100, 58, 2, "running"]);
    expect(progressOf(facts, 5000)).toEqual(["42 of 100", "2 failed", "58 left", "4/s", "14 s to go"]);
    expect(progressOf(facts, 2000)).not.toContain("14 s to go");
  });

  it("computes sums anew once they are forgotten", () => {
    const node = only([{ id: "a", batch: "b", tokens: 1 }]);
    expect(factsOf(node).tokens).toBe(1);
    const row = node.kids?.[0]?.line?.row;
    if (row) row.tokens = 9;
    expect(factsOf(node).tokens).toBe(1);
    forgetSums([node]);
    expect(factsOf(node).tokens).toBe(9);
  });
});

describe("rateOf", () => {
  const node = (ends: number[], ended: number | null): ReturnType<typeof factsOf> => ({
    ...factsOf(only([{ id: "a", batch: "b" }])), began: 0, ended, ends, of: ends.length,
  });
  it("is of the last minute while a batch works, of all once it is over, and 0 where nothing can be said", () => {
    expect(rateOf(node([1_000, 200_000, 230_000], null), 240_000)).toBeCloseTo(2 / 60);
    expect(rateOf(node([1_000, 2_000], 4_000), 9_000)).toBe(0.5);
    expect(rateOf(node([], null), 9_000)).toBe(0);
    expect(rateOf(node([100], null), 500)).toBe(0);
  });
});
