import { describe, expect, it } from "vitest";
import { filterOf, NOTHING_WANTED, sessionNames, totalsOf, valuesOf, type Wanted } from "../src/table/filters";
import { linesOf, sorted, type Sort } from "../src/table/sort";
import { treeOf } from "../src/table/tree";
import { linesOfRows } from "./rows";

const ROWS = linesOfRows([
  { id: "old", created_ms: 1, tokens: null, title: "Beta" },
  { id: "new", created_ms: 3, tokens: 5, title: "alpha" },
  { id: "runs", created_ms: 0, status: "running", tokens: 50, ended_ms: null },
  { id: "waits", created_ms: 2, status: "pending", began_ms: null, ended_ms: null, tokens: 1 },
  { id: "asks", created_ms: 0, status: "paused", ended_ms: null, tokens: 2 },
]);
const order = (sort: Sort | null): string[] => sorted(treeOf(ROWS, new Map()), sort, 60_000).map((node) => node.key);

describe("sorted", () => {
  it("puts what waits for a person first, then what runs, then what waits its turn, then the newest", () => {
    expect(order(null)).toEqual(["asks", "runs", "waits", "new", "old"]);
  });

  it.each([
    [{ by: "tokens", down: true }, ["runs", "new", "asks", "waits", "old"]],
    [{ by: "tokens", down: false }, ["waits", "asks", "new", "runs", "old"]],
    [{ by: "title", down: false }, ["new", "asks", "old", "runs", "waits"]],
    [{ by: "time", down: true }, ["runs", "asks", "new", "old", "waits"]],
  ] as [Sort, string[]][])("sorts by %o, unknown values last either way", (sort, ids) => expect(order(sort)).toEqual(ids));
});

const TEAM = linesOfRows([
  { id: "lead", title: "desk", prompt: "What moved?" },
  { id: "m1", parent: "lead", title: "prices", says: "NVDA rose", created_ms: 2 },
  { id: "m2", parent: "lead", title: "news", created_ms: 1 },
  { id: "row", batch: "b", title: "labels", status: "error", error: "no key" },
]);
const found = (want: Partial<Wanted>, open: [string, boolean][] = []): string[] =>
  linesOf(treeOf(TEAM, new Map()), filterOf({ ...NOTHING_WANTED, ...want }), null, new Map(open), 0).map(
    ({ node, depth }) => `${" ".repeat(depth)}${node.key}`,
  );

describe("linesOf", () => {
  it.each([
    [{}, [], ["lead", "batch b"]],
    [{}, [["lead", true]], ["lead", " m2", " m1", "batch b"]],
    [{ text: "nvda" }, [], ["lead", " m1"]],
    [{ text: "NVDA moved" }, [], []],
    [{ text: "desk" }, [["lead", true]], ["lead", " m2", " m1"]],
    [{ group: "failed" }, [], ["batch b", " row"]],
    [{ text: "nvda" }, [["lead", false]], ["lead"]],
  ] as [Partial<Wanted>, [string, boolean][], string[]][])("for %o with %o unfolded shows %o", (want, open, lines) =>
    expect(found(want, open)).toEqual(lines),
  );
});

describe("totalsOf", () => {
  it("sums what the filter lets through and counts all in their groups", () => {
    const totals = totalsOf(ROWS.values(), filterOf({ ...NOTHING_WANTED, group: "running" }));
    expect([totals.runs, totals.running, totals.tokens]).toEqual([2, 2, 51]);
    expect(totals.counts).toMatchObject({ all: 5, waiting: 1, running: 2, completed: 2, failed: 0 }); // what waits is counted once
  });
  it("knows no tokens where no run knows them", () => {
    const rows = linesOfRows([{ id: "a", tokens: null, cost: null, priced: false }]);
    expect(totalsOf(rows.values(), filterOf(NOTHING_WANTED))).toMatchObject({ tokens: null, cost: null, called: 1, priced: 0 });
  });
});

describe("sessionNames", () => {
  it("are their own names, or for ids the prompt of the first run", () => {
    const id = "019a2b3c-0000-7000-8000-0123456789ab";
    const rows = linesOfRows([
      { id: "b", session: id, created_ms: 2, prompt: "And Norway?" },
      { id: "a", session: id, created_ms: 1, prompt: "What is the capital of France? ".repeat(3) },
      { id: "c", session: "q3", prompt: "x" },
    ]);
    expect([...sessionNames(rows.values())]).toEqual([
      [id, "What is the capital of France? What is the capi…"],
      ["q3", "q3"],
    ]);
  });
});

describe("valuesOf", () => {
  it("lists each value once, a session only where it holds more than one run, and what is chosen", () => {
    const rows = linesOfRows([{ id: "a", session: "x" }, { id: "b", session: "x" }, { id: "c", session: "alone" }]);
    expect(valuesOf(rows.values(), "session", "")).toEqual(["x"]);
    expect(valuesOf(rows.values(), "session", "alone")).toEqual(["x", "alone"]);
    expect(valuesOf(rows.values(), "agent", "")).toEqual(["reader"]);
  });
});
