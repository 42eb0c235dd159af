/* What a person looks for in the table. Pure. */

import { hasEnded, hasFailed, type RunRow, type Status } from "../protocol";
import type { Line } from "./model";
import { hayOf, type Filter } from "./sort";

export type Group = "all" | "waiting" | "running" | "completed" | "failed" | "cancelled";
export const GROUPS: [Group, string, (status: Status) => boolean][] = [
  ["all", "All", () => true],
  ["waiting", "Waiting", (status) => status === "paused"],
  ["running", "Running", (status) => !hasEnded(status) && status !== "paused"],
  ["completed", "Completed", (status) => status === "completed"],
  ["failed", "Failed", hasFailed],
  ["cancelled", "Cancelled", (status) => status === "cancelled"],
];

export const CHOICES = ["agent", "model", "session"] as const;
export type Choice = (typeof CHOICES)[number];

export type Wanted = { text: string; group: Group } & Record<Choice, string>;

export const NOTHING_WANTED: Wanted = { text: "", group: "all", agent: "", model: "", session: "" };

/** Return the filter of what is wanted. */
export function filterOf(want: Wanted): Filter {
  const words = want.text.toLowerCase().split(/\s+/).filter(Boolean);
  const group = GROUPS.find(([name]) => name === want.group)?.[2] ?? (() => true);
  return {
    narrow: Boolean(words.length || want.agent || want.model || want.session || want.group !== "all"),
    test(line) {
      const { row } = line;
      if (!group(row.status)) return false;
      for (const name of CHOICES) if (want[name] && row[name] !== want[name]) return false;
      return !words.length || words.every((word) => hayOf(line).includes(word));
    },
  };
}

export interface Totals {
  runs: number;
  running: number;
  tokens: number | null;
  cost: number | null;
  priced: number; // runs with a known cost
  called: number; // runs that could have one
  counts: Record<Group, number>; // of all runs
}

/** Sum up the runs that a filter lets through. */
export function totalsOf(lines: Iterable<Line>, filter: Filter): Totals {
  const sum: Totals = {
    runs: 0, running: 0, tokens: null, cost: null, priced: 0, called: 0,
    counts: { all: 0, waiting: 0, running: 0, completed: 0, failed: 0, cancelled: 0 },
  };
  for (const line of lines) {
    const { row } = line;
    for (const [name, , holds] of GROUPS) if (holds(row.status)) sum.counts[name] += 1;
    if (!filter.test(line)) continue;
    sum.runs += 1;
    if (!hasEnded(row.status) && row.status !== "paused") sum.running += 1;
    if (row.tokens !== null) sum.tokens = (sum.tokens ?? 0) + row.tokens;
    if (row.priced !== null) sum.called += 1;
    if (row.cost !== null) {
      sum.cost = (sum.cost ?? 0) + row.cost;
      sum.priced += 1;
    }
  }
  return sum;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const NAME_CHARS = 48;

/** What each session is called: its own name, or, where that is an id, the prompt of its first run. */
export function sessionNames(lines: Iterable<Line>): Map<string, string> {
  const first = new Map<string, RunRow>();
  for (const { row } of lines) {
    if (!row.session || row.parent) continue;
    const known = first.get(row.session);
    if (!known || (row.created_ms ?? 0) < (known.created_ms ?? 0)) first.set(row.session, row);
  }
  const names = new Map<string, string>();
  for (const [session, row] of first) {
    const prompt = row.prompt.length > NAME_CHARS ? `${row.prompt.slice(0, NAME_CHARS - 1)}…` : row.prompt;
    names.set(session, UUID.test(session) ? prompt || row.title : session);
  }
  return names;
}

const LISTED = 200;

/** The values to choose from: of a session only where it groups runs, and with thousands of them a list helps nobody. */
export function valuesOf(lines: Iterable<Line>, name: Choice, chosen: string): string[] {
  const counts = new Map<string, number>();
  for (const { row } of lines) {
    const value = row[name];
    if (value) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  const listed = [...counts].filter(([, times]) => name !== "session" || times > 1).slice(0, LISTED);
  const values = listed.map(([value]) => value).sort();
  if (chosen && !values.includes(chosen)) values.push(chosen);
  return values;
}
