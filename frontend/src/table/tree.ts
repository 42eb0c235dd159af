/* Runs, their members and batches as a tree; what a node sums up over others is computed when it is asked for. Pure. */

import { count, duration, speed } from "../format";
import { hasEnded, hasFailed, type BatchState, type RunRow, type Status } from "../protocol";
import type { Line } from "./model";

const RATE_MS = 60 * 1000; // a batch's speed is that of its last minute
const SURE_MS = 3000; // before, a time to go would be a guess

/** A run, or a batch, which has no run of its own. */
export interface Node {
  key: string;
  line: Line | null;
  batchId: string;
  kids: Node[] | null;
  sums: Facts | null;
  told: BatchState | undefined;
  unfolded: boolean;
}

/** What a node shows: a run's own cells, with the sums over its members; or the sums over a batch. */
export interface Facts {
  status: Status;
  title: string;
  model: string;
  created: number | null;
  began: number | null;
  ended: number | null;
  tokens: number | null;
  cost: number | null;
  priced: boolean | null;
  of: number;
  open: number;
  waiting: number; // runs of it that wait for a person, itself included
  failed: number;
  cancelled: number;
  ends: number[];
  rate: number | null;
  endless: boolean;
}

const nodeOf = (key: string, line: Line | null, batchId = "", told?: BatchState): Node => ({
  key, line, batchId, kids: line ? null : [], sums: null, told, unfolded: false,
});

/** Build the tree; return its roots. */
export function treeOf(rows: ReadonlyMap<string, Line>, told: ReadonlyMap<string, BatchState>): Node[] {
  const nodes = new Map<string, Node>();
  for (const [id, line] of rows) nodes.set(id, nodeOf(id, line));
  const roots: Node[] = [];
  const batches = new Map<string, Node>();
  for (const node of nodes.values()) {
    const row = (node.line as Line).row;
    const parent = row.parent === null ? undefined : nodes.get(row.parent);
    if (parent && parent !== node) (parent.kids ??= []).push(node);
    else if (row.batch) {
      let batch = batches.get(row.batch);
      if (!batch) {
        batch = nodeOf(`batch ${row.batch}`, null, row.batch, told.get(row.batch));
        batches.set(row.batch, batch);
        roots.push(batch);
      }
      batch.kids?.push(node);
    } else roots.push(node);
  }
  return roots;
}

const ownFacts = (row: RunRow): Facts => ({
  status: row.status, title: row.title, model: row.model, created: row.created_ms, began: row.began_ms,
  ended: row.ended_ms, tokens: row.tokens, cost: row.cost, priced: row.priced, of: 0, open: 0, waiting: Number(row.status === "paused"), failed: 0, cancelled: 0,
  ends: [], rate: null, endless: false,
});

/** Return what a node shows. */
export function factsOf(node: Node): Facts {
  if (node.line && !node.kids) return ownFacts(node.line.row);
  return (node.sums ??= sumsOf(node));
}

function sumsOf(node: Node): Facts {
  const kids = (node.kids ?? []).map(factsOf);
  const own = node.line ? ownFacts(node.line.row) : null;
  const all = own ? [own, ...kids] : kids;
  const known = (name: "created" | "began" | "ended" | "tokens" | "cost"): number[] =>
    all.map((one) => one[name]).filter((value) => value !== null);
  const total = (name: "tokens" | "cost"): number | null => {
    const values = known(name);
    return values.length ? values.reduce((sum, value) => sum + value, 0) : null;
  };
  const stopped = kids.filter((one) => one.status === "cancelled").length;
  const rows = node.told ? rowsOf(node.told, stopped) : null;
  const open = rows ? rows.open : kids.filter((one) => !hasEnded(one.status)).length;
  const priced = all.map((one) => one.priced).filter((value) => value !== null);
  const ends = known("ended");
  return {
    status: own ? own.status : batchStatus(kids, open, Boolean(rows?.cancelled)),
    title: own?.title ?? kids[0]?.title ?? "batch",
    model: own?.model ?? kids[0]?.model ?? "",
    created: own ? own.created : least(known("created")),
    began: own ? own.began : least(known("began")),
    ended: own ? own.ended : open ? null : most(ends),
    tokens: total("tokens"),
    cost: total("cost"),
    priced: priced.length ? priced.every(Boolean) : null,
    of: kids.length,
    open,
    waiting: all.reduce((sum, one) => sum + one.waiting, 0),
    failed: kids.filter((one) => hasFailed(one.status)).length,
    cancelled: stopped,
    ends,
    rate: null,
    endless: false,
    ...rows,
  };
}

function batchStatus(kids: Facts[], open: number, leftOut: boolean): Status {
  if (open) return "running";
  const statuses = new Set(kids.map((one) => one.status));
  if (leftOut) statuses.add("cancelled"); // rows that were not asked
  return statuses.size === 1 ? (kids[0]?.status ?? "incomplete") : "incomplete";
}

/** What a batch of this kernel says of its rows, which are more than its runs: not asked yet, or answered earlier. */
function rowsOf(
  { total, done, failed, not_asked, rate, finished, tokens, cost }: BatchState,
  stopped: number,
): Partial<Facts> & Pick<Facts, "open" | "cancelled"> {
  const ended = done + failed + not_asked;
  const open = finished ? 0 : Math.max(1, (total ?? ended + 1) - ended);
  const cancelled = finished ? Math.min(failed, stopped) : 0;
  return {
    of: ended + open, open, failed: failed - cancelled, cancelled: cancelled + not_asked, rate, endless: total === null,
    ...(tokens === null ? {} : { tokens }), ...(cost === null ? {} : { cost }),
  };
}

/** Runs of a batch ended per second: of all once it is over, else in the last minute; 0 where nothing can be said. */
export function rateOf({ began, ended, ends, of, rate }: Facts, now: number): number {
  if (rate !== null) return rate;
  if (began === null || !ends.length) return 0;
  if (ended !== null) return ended > began ? (1000 * of) / (ended - began) : 0;
  const since = Math.max(began, now - RATE_MS);
  const lately = ends.reduce((sum, end) => sum + Number(end >= since), 0);
  return now - since < 1000 ? 0 : (1000 * lately) / (now - since);
}

/** How far a batch is, in words: done, failed, left, how fast, and for how long yet. */
export function progressOf(facts: Facts, now: number): string[] {
  const done = facts.of - facts.open;
  const rate = rateOf(facts, now);
  const counted = facts.open > 0 && !facts.endless;
  return [
    facts.endless ? count(done) : facts.open ? `${count(done)} of ${count(facts.of)}` : `all ${count(facts.of)} ended`,
    facts.waiting ? `${count(facts.waiting)} ${facts.waiting === 1 ? "waits" : "wait"} for you` : "",
    facts.failed ? `${count(facts.failed)} failed` : "",
    facts.cancelled ? `${count(facts.cancelled)} cancelled` : "",
    counted ? `${count(facts.open)} left` : "",
    rate ? speed(rate) : "",
    rate && counted && facts.began !== null && now - facts.began >= SURE_MS ? `${duration((1000 * facts.open) / rate)} to go` : "",
  ].filter(Boolean);
}

/** Let go what nodes sum up: cells below them have changed. */
export function forgetSums(nodes: Node[]): void {
  for (const node of nodes) {
    if (!node.kids) continue;
    node.sums = null;
    forgetSums(node.kids);
  }
}

// Math.min(...list) fails on a batch of a hundred thousand
const least = (list: number[]): number | null => (list.length ? list.reduce((a, b) => (b < a ? b : a)) : null);
const most = (list: number[]): number | null => (list.length ? list.reduce((a, b) => (b > a ? b : a)) : null);
