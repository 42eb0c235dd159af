/* Which lines stand in the table, and in which order: filters, folding, sorting. Pure. */

import type { Status } from "../protocol";
import { factsOf, type Facts, type Node } from "./tree";
import type { Line } from "./model";

export type SortColumn = "status" | "title" | "model" | "tokens" | "cost" | "time" | "created";

export interface Sort {
  by: SortColumn;
  down: boolean;
}

/** A line in the table: a node and how deep it stands. */
export interface Placed {
  node: Node;
  depth: number;
}

export interface Filter {
  test(line: Line): boolean;
  narrow: boolean; // it lets not all through
}

const SORTS: Record<SortColumn, (facts: Facts, now: number) => string | number | null> = {
  status: (facts) => facts.status,
  title: (facts) => facts.title.toLowerCase(),
  model: (facts) => facts.model.toLowerCase(),
  tokens: (facts) => facts.tokens,
  cost: (facts) => facts.cost,
  time: (facts, now) => (facts.began === null ? null : (facts.ended ?? now) - facts.began),
  created: (facts) => facts.created,
};

export const isSortColumn = (name: string): name is SortColumn => name in SORTS;

/** What a search looks through. */
export function hayOf(line: Line): string {
  if (line.hay === null) {
    const { title, agent, model, session, id, prompt, says, error, batch, owner } = line.row;
    line.hay = [title, agent, model, session ?? "", id, prompt, says, error, batch ?? "", owner].join("\n").toLowerCase();
  }
  return line.hay;
}

/** What waits for a person comes first, then what runs, then what waits for its turn. */
const rank = (status: Status, waiting = 0): number =>
  waiting || status === "paused" ? 0 : status === "running" ? 1 : status === "pending" ? 2 : 3;

interface Keyed {
  node: Node;
  value: string | number | null;
  first: number;
  created: number;
}

function keyOf(node: Node, sort: Sort | null, now: number): Keyed {
  // the usual order of runs on their own needs no sums: ten thousand of them in a few milliseconds
  if (!sort && node.line && !node.kids) {
    const { status, created_ms } = node.line.row;
    return { node, value: null, first: rank(status), created: created_ms ?? 0 };
  }
  const facts = factsOf(node);
  const value = sort ? SORTS[sort.by](facts, now) : null;
  return { node, value, first: rank(facts.status, facts.waiting), created: facts.created ?? 0 };
}

/** Order nodes: by a column, unknown values last; else what runs first, then the newest. */
export function sorted(nodes: Node[], sort: Sort | null, now: number): Node[] {
  const keyed = nodes.map((node) => keyOf(node, sort, now));
  const newest = (a: Keyed, b: Keyed): number => b.created - a.created || (a.node.key < b.node.key ? 1 : -1);
  keyed.sort((a, b) => {
    if (!sort) return a.first - b.first || newest(a, b);
    if (a.value === null || b.value === null) return Number(a.value === null) - Number(b.value === null) || newest(a, b);
    if (a.value === b.value) return newest(a, b);
    return (a.value < b.value ? -1 : 1) * (sort.down ? -1 : 1);
  });
  return keyed.map((one) => one.node);
}

/** How a node was found: by itself, or only through what is below it. */
interface Hit {
  self: boolean;
  kids: Map<Node, Hit>;
}

const ALONE: Hit = { self: true, kids: new Map() };

function hitOf(node: Node, filter: Filter): Hit | null {
  const self = node.line ? filter.test(node.line) : false;
  if (!node.kids) return self ? ALONE : null;
  const kids = hitsOf(node.kids, filter);
  return self || kids.size ? { self, kids } : null;
}

function hitsOf(nodes: Node[], filter: Filter): Map<Node, Hit> {
  const hits = new Map<Node, Hit>();
  for (const node of nodes) {
    const hit = hitOf(node, filter);
    if (hit) hits.set(node, hit);
  }
  return hits;
}

/** The lines in their order, after filters and folding. `open` says which nodes are unfolded. */
export function linesOf(
  roots: Node[],
  filter: Filter,
  sort: Sort | null,
  open: ReadonlyMap<string, boolean>,
  now: number,
): Placed[] {
  const lines: Placed[] = [];
  const walk = (hits: Map<Node, Hit>, depth: number, order: Sort | null): void => {
    for (const node of sorted([...hits.keys()], order, now)) {
      const hit = hits.get(node) as Hit;
      lines.push({ node, depth });
      node.unfolded = open.get(node.key) ?? (filter.narrow && !hit.self && hit.kids.size > 0);
      if (!node.unfolded || !node.kids) continue;
      // a leader that was found shows all of its members; what was found through its members, only those
      const whole = hit.self && node.line;
      const kids = whole ? new Map(node.kids.map((kid) => [kid, hitOf(kid, filter) ?? ALONE])) : hit.kids;
      // members in the order of their launch; of a batch's many, what runs first
      walk(kids, depth + 1, order ?? (node.line ? { by: "created", down: false } : null));
    }
  };
  walk(hitsOf(roots, filter), 0, sort);
  return lines;
}
