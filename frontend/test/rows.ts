/* Rows for tests: a run with what a test does not care for left as it begins. */

import type { RunRow } from "../src/protocol";
import type { Line } from "../src/table/model";

export const runRow = (given: Partial<RunRow> & { id: string }): RunRow => ({
  title: given.id, agent: "reader", model: "demo:assistant", status: "completed", reason: "", session: "s", parent: null,
  batch: null, created_ms: 0, began_ms: 0, ended_ms: 1000, tokens: 10, cost: 0.01, priced: true, says: "", prompt: "",
  error: "", attempt: 1, asks: null, owner: "", ...given,
});

export const linesOfRows = (rows: (Partial<RunRow> & { id: string })[]): Map<string, Line> =>
  new Map(rows.map((row) => [row.id, { row: runRow(row), hay: null }]));
