import { describe, expect, it } from "vitest";
import type { Cell, Column } from "../src/protocol";
import { apply, lineOf, type TableData } from "../src/table/model";
import { runRow } from "./rows";

const COLUMNS = Object.keys(runRow({ id: "x" })) as Column[];
const cells = (given: Parameters<typeof runRow>[0]): Cell[] => {
  const row = runRow(given);
  return COLUMNS.map((name) => row[name]);
};
const stateOf = (...ids: string[]): TableData => ({
  rows: new Map(ids.map((id) => [id, lineOf(COLUMNS, cells({ id }))])), batches: new Map(), stale: new Map(), total: 0, loaded: true,
  trouble: [], budgets: [], said: [], asked: new Map(), only: null, items: new Map(), fields: [], counts: [], ended: 0, gone: false, skewMs: 0, stoppedMs: null,
});
const at = (name: Column): number => COLUMNS.indexOf(name);

describe("apply", () => {
  it("changes single cells in place and says which columns it touched", () => {
    const state = stateOf("a");
    const how = apply(state, COLUMNS, { seq: 1, now_ms: 0, cells: [["a", at("tokens"), 99, at("says"), "Hi"]] });
    expect(state.rows.get("a")?.row).toMatchObject({ tokens: 99, says: "Hi" });
    expect(how).toEqual(new Set(["tokens", "says"]));
  });

  it("asks for all to be drawn where a run is new, ends, or the record has a problem", () => {
    const state = stateOf("a");
    state.asked.set("a", { name: "cancel", how: "heard" });
    expect(apply(state, COLUMNS, { seq: 1, now_ms: 0, cells: [["a", at("status"), "cancelled"]] })).toBe("all");
    expect(state.asked.has("a")).toBe(false);
    expect(apply(state, COLUMNS, { seq: 2, now_ms: 0, new: [cells({ id: "b" })] })).toBe("all");
    expect(apply(state, COLUMNS, { seq: 3, now_ms: 0, trouble: ["held", "wait"] })).toBe("all");
    expect([...state.rows.keys()]).toEqual(["a", "b"]);
  });

  it("takes up why a run is stale, and that it is not any more", () => {
    const state = stateOf("a");
    apply(state, COLUMNS, { seq: 1, now_ms: 0, stale: { a: "df was rebound since", b: "x was rebound since" } });
    expect(state.stale.get("a")).toBe("df was rebound since");
    apply(state, COLUMNS, { seq: 2, now_ms: 0, stale: { a: "" } });
    expect([...state.stale.keys()]).toEqual(["b"]);
  });

  it("returns null for a run that is not here", () => {
    expect(apply(stateOf("a"), COLUMNS, { seq: 1, now_ms: 0, cells: [["other", at("tokens"), 1]] })).toBeNull();
  });
});
