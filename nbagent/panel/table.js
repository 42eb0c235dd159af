/* The table of all runs. Follows card.js in the same module, and uses its small parts.
 *
 * State comes as the trait `table` ({seq, now_ms, columns, lines: JSON text, loaded, total, trouble}), changes as
 * custom messages ({seq, now_ms, new?: lines, cells?: [id, column, value, ...], ...}). Who misses a number asks for
 * the whole. One model serves all views; sorting, filters and folding are a view's own. Only the rows in sight are
 * in the page. Text from a model or a person goes into the page as text, never as markup.
 */

const ROW_PX = 34;
const ROWS_SEEN = 12;
const ROWS_SEEN_BESIDE = 6; // while a run is open below
const SPARE_ROWS = 6; // drawn above and below what is in sight
const SAID_MS = 12000;
const ENDED = new Set(["completed", "error", "cancelled", "timeout", "interrupted", "incomplete"]); // the last: of a batch
const RESUMABLE = new Set(["error", "timeout", "interrupted"]);
const GROUPS = [
  ["all", "All", () => true],
  ["running", "Running", (s) => !ENDED.has(s)],
  ["completed", "Completed", (s) => s === "completed"],
  ["failed", "Failed", (s) => s === "error" || s === "timeout" || s === "interrupted"],
  ["cancelled", "Cancelled", (s) => s === "cancelled"],
];
const NUMBER = new Intl.NumberFormat("en-US");
const SHORT = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

/* One widget model shows a card or the table. */
export default () => {
  const card = cardWidget();
  let table = null;
  return {
    initialize(given) {
      if (given.model.get("shows") !== "table") return card.initialize(given);
      table = tableModel(given.model);
      return table.end;
    },
    render(given) {
      return table ? table.render(given.el) : card.render(given);
    },
  };
};

/* --------------------------------------------------------------------- model */

function tableModel(model) {
  const state = {
    seq: -1, at: {}, rows: new Map(), total: 0, loaded: false, trouble: [], gone: false, skewMs: 0,
    stoppedMs: null, asked: new Map(), said: [], askedAt: -Infinity,
  };
  const views = new Set();
  const opened = new Map(); // run id -> what card.js needs of a model, see opened.js
  const changed = (how) => views.forEach((view) => view.update(how));

  const lineOf = (cells) => ({ cells, hay: null });

  const restate = (table) => {
    if (!table?.columns) return;
    state.at = Object.fromEntries(table.columns.map((name, number) => [name, number]));
    state.rows = new Map(JSON.parse(table.lines).map((cells) => [cells[0], lineOf(cells)]));
    const { seq, total, loaded, trouble } = table;
    Object.assign(state, { seq, total, loaded, trouble, gone: false, stoppedMs: null });
    state.skewMs = table.now_ms - Date.now();
    changed("all");
  };

  const askWhole = () => {
    if (performance.now() - state.askedAt < ASK_AGAIN_MS) return;
    state.askedAt = performance.now();
    send(model, "resend_table", "");
  };

  const hear = (message) => {
    if (message?.run !== undefined) return opened.get(message.run)?.hear(message);
    if (message?.said) return hearSaid(message.said);
    if (typeof message?.seq !== "number" || message.seq <= state.seq) return undefined;
    if (message.seq !== state.seq + 1) return askWhole();
    state.seq = message.seq;
    state.skewMs = message.now_ms - Date.now();
    for (const name of ["total", "loaded", "trouble"]) if (name in message) state[name] = message[name];
    let how = message.new || "trouble" in message || "loaded" in message ? "all" : "cells";
    for (const cells of message.new ?? []) state.rows.set(cells[0], lineOf(cells));
    const columns = new Set();
    for (const [id, ...pairs] of message.cells ?? []) {
      const row = state.rows.get(id);
      if (!row) return askWhole();
      for (let i = 0; i < pairs.length; i += 2) {
        row.cells[pairs[i]] = pairs[i + 1];
        columns.add(pairs[i]);
      }
      row.hay = null;
      if (pairs.includes(state.at.status)) state.asked.delete(id);
    }
    if (columns.has(state.at.status) || columns.has(state.at.created_ms)) how = "all";
    return changed(how === "all" ? "all" : columns);
  };

  /* What a command came to, where the rows do not show it: an error in two lines, or a new run's id. */
  const hearSaid = (said) => {
    state.asked.delete(said.run_id);
    if (said.error) {
      state.said = [...state.said.slice(-2), said.error];
      setTimeout(() => {
        state.said = state.said.filter((one) => one !== said.error);
        changed("cells");
      }, SAID_MS);
    }
    changed("cells");
  };

  const command = async (name, id) => {
    if (state.asked.has(id) || state.gone) return;
    state.asked.set(id, { name, how: "heard" });
    changed("cells");
    const route = await send(model, name, id);
    const asked = state.asked.get(id);
    if (!asked) return;
    if (route === "none") leave();
    if (route === "comm") {
      setTimeout(() => {
        if (state.asked.get(id) === asked) asked.how = "waiting";
        changed("cells");
      }, HONOUR_MS);
    }
    // what has no other answer than the rows' own change is free to be asked again after a while
    setTimeout(() => {
      if (state.asked.get(id) === asked) state.asked.delete(id);
      changed("cells");
    }, 30 * 1000);
    changed("cells");
  };

  const leave = () => {
    if (state.gone) return;
    state.gone = true;
    state.stoppedMs = Date.now() + state.skewMs; // nothing is known of what came later
    changed("all");
  };

  restate(model.get("table"));
  model.on("change:table", () => restate(model.get("table")));
  model.on("msg:custom", hear);
  watchKernel(model, leave);
  const clock = setInterval(() => document.hidden || state.gone || changed("time"), 1000);

  return {
    end: () => clearInterval(clock),
    render(el) {
      const view = tableView(el, { model, state, command, opened });
      const hiding = hideSnapshot(model.get("key"));
      views.add(view);
      view.update("all");
      return () => {
        views.delete(view);
        view.end();
        hiding.remove();
      };
    },
  };
}

/** Call `leave` once the kernel that the model lived in is gone. */
async function watchKernel(model, leave) {
  model.on("comm_live_update", () => leave());
  try {
    const kernel = (await model.widget_manager)?.kernel;
    const over = new Set(["restarting", "autorestarting", "terminating", "dead"]);
    kernel?.statusChanged?.connect((_, status) => over.has(status) && leave());
    kernel?.disposed?.connect(leave);
  } catch {
    // a front end without these says it at the next click
  }
}

/* ---------------------------------------------------------------------- lines */

/** Runs, their members and batches as a tree of nodes; what a node sums up over others is computed when asked. */
function treeOf(state) {
  const { at, rows } = state;
  const nodes = new Map();
  for (const [id, row] of rows) nodes.set(id, { key: id, row, kids: null, sums: null });
  const roots = [];
  const batches = new Map();
  for (const [id, row] of rows) {
    const node = nodes.get(id);
    const parent = nodes.get(row.cells[at.parent]);
    const batchId = row.cells[at.batch];
    if (parent && parent !== node) (parent.kids ??= []).push(node);
    else if (batchId) {
      let batch = batches.get(batchId);
      if (!batch) {
        batch = { key: `batch ${batchId}`, batchId, row: null, kids: [], sums: null };
        batches.set(batchId, batch);
        roots.push(batch);
      }
      batch.kids.push(node);
    } else roots.push(node);
  }
  return roots;
}

/** What a node shows: a run's own cells, with the sums over its members; or the sums over a batch. */
function factsOf(node, at) {
  const cells = node.row?.cells;
  if (cells && !node.kids) {
    return {
      status: cells[at.status], title: cells[at.title], model: cells[at.model], created: cells[at.created_ms],
      began: cells[at.began_ms], ended: cells[at.ended_ms], tokens: cells[at.tokens], cost: cells[at.cost],
      priced: cells[at.priced], done: 0, of: 0, failed: 0,
    };
  }
  if (node.sums) return node.sums;
  const kids = node.kids.map((kid) => factsOf(kid, at));
  const own = cells ? [factsOf({ row: node.row }, at)] : [];
  const all = [...own, ...kids];
  const known = (name) => all.map((one) => one[name]).filter((value) => value != null);
  const total = (name) => (known(name).length ? known(name).reduce((sum, value) => sum + value, 0) : null);
  const open = kids.filter((one) => !ENDED.has(one.status)).length;
  const priced = known("priced");
  const failed = kids.filter((one) => ENDED.has(one.status) && one.status !== "completed").length;
  const ends = known("ended");
  const statuses = new Set(kids.map((one) => one.status));
  node.sums = {
    status: own.length ? own[0].status : open ? "running" : statuses.size === 1 ? kids[0].status : "incomplete",
    title: own.length ? own[0].title : kids[0]?.title ?? "batch",
    model: own.length ? own[0].model : kids[0]?.model ?? "",
    created: own.length ? own[0].created : least(known("created")),
    began: own.length ? own[0].began : least(known("began")),
    ended: own.length ? own[0].ended : open || !ends.length ? null : most(ends),
    tokens: total("tokens"),
    cost: total("cost"),
    priced: priced.length ? priced.every(Boolean) : null,
    done: kids.length - open,
    of: kids.length,
    failed,
  };
  return node.sums;
}

// Math.min(...list) fails on a batch of a hundred thousand
const least = (list) => (list.length ? list.reduce((a, b) => (b < a ? b : a)) : null);
const most = (list) => (list.length ? list.reduce((a, b) => (b > a ? b : a)) : null);

function hayOf(row, at) {
  row.hay ??= ["title", "agent", "model", "session", "id", "prompt", "says", "error", "batch"]
    .map((name) => row.cells[at[name]] ?? "")
    .join("\n")
    .toLowerCase();
  return row.hay;
}

const rank = (status) => (status === "running" || status === "paused" ? 0 : status === "pending" ? 1 : 2);
const SORTS = {
  status: (f) => f.status,
  title: (f) => f.title.toLowerCase(),
  model: (f) => f.model.toLowerCase(),
  tokens: (f) => f.tokens,
  cost: (f) => f.cost,
  time: (f, now) => (f.began == null ? null : (f.ended ?? now) - f.began),
  created: (f) => f.created,
};

/** Order nodes: by a column, unknown values last; else what runs first, then the newest. */
function sorted(nodes, sort, at, now) {
  const keyed = nodes.map((node) => {
    // the usual order of runs on their own needs no sums: ten thousand of them in a few milliseconds
    if (!sort && !node.kids) {
      const { cells } = node.row;
      return { node, value: null, first: rank(cells[at.status]), created: cells[at.created_ms] ?? 0 };
    }
    const facts = factsOf(node, at);
    const value = sort ? SORTS[sort.by](facts, now) : null;
    return { node, value, first: rank(facts.status), created: facts.created ?? 0 };
  });
  const newest = (a, b) => b.created - a.created || (a.node.key < b.node.key ? 1 : -1);
  keyed.sort((a, b) => {
    if (!sort) return a.first - b.first || newest(a, b);
    if (a.value == null || b.value == null) return (a.value == null) - (b.value == null) || newest(a, b);
    if (a.value === b.value) return newest(a, b);
    return (a.value < b.value ? -1 : 1) * (sort.down ? -1 : 1);
  });
  return keyed.map((one) => one.node);
}

/** The lines in their order: [{node, depth}], after filters and folding. `open` says which nodes are unfolded. */
function linesOf(roots, wanted, sort, open, at, now) {
  const lines = [];
  // null: neither it nor anything below it matches; else whether it was found only through what is below
  const found = (node) => {
    const self = node.row ? wanted(node.row) : false;
    if (!node.kids) return self ? ALONE : null;
    const kids = hitsOf(node.kids);
    return self || kids.size ? { self, kids } : null;
  };
  const hitsOf = (nodes) => {
    const hits = new Map();
    for (const node of nodes) {
      const hit = found(node);
      if (hit) hits.set(node, hit);
    }
    return hits;
  };
  const walk = (hits, depth, order) => {
    for (const node of sorted([...hits.keys()], order, at, now)) {
      const hit = hits.get(node);
      lines.push({ node, depth });
      const unfolded = open.get(node.key) ?? (wanted.narrow && !hit.self && hit.kids.size > 0);
      node.unfolded = unfolded;
      // a leader that was found shows all of its members; what was found through its members, only those
      if (!unfolded || !node.kids) continue;
      const kids = hit.self && node.row ? new Map(node.kids.map((kid) => [kid, found(kid) ?? ALONE])) : hit.kids;
      walk(kids, depth + 1, order ?? { by: "created", down: false });
    }
  };
  walk(hitsOf(roots), 0, sort);
  return lines;
}

const ALONE = { self: true, kids: new Map() };

/* ----------------------------------------------------------------------- view */

function tableView(el, { model, state, command, opened }) {
  const want = { text: "", group: "all", agent: "", model: "", session: "" };
  const unfold = new Map();
  const view = { sort: null, lines: [], active: null, openId: null };
  let roots = null;
  let painting = 0;

  const root = element("section", "panel");
  root.setAttribute("aria-label", "nbagent runs");
  root.dataset.lmSuppressShortcuts = "true"; // arrows and letters are the table's while it has the focus
  const bars = barsView(state, want, { refilter, command });
  const grid = gridView({ onSort, onKey, onClick, onScroll: () => paintSoon() });
  const below = element("div", "below");
  root.append(bars.el, grid.el, below);
  el.classList.add("nbagent");
  el.append(root);

  const wanted = () => {
    const { at } = state;
    const words = want.text.toLowerCase().split(/\s+/).filter(Boolean);
    const group = GROUPS.find(([name]) => name === want.group)[2];
    const test = (row) => {
      const { cells } = row;
      if (!group(cells[at.status])) return false;
      if (want.agent && cells[at.agent] !== want.agent) return false;
      if (want.model && cells[at.model] !== want.model) return false;
      if (want.session && cells[at.session] !== want.session) return false;
      return !words.length || words.every((word) => hayOf(row, at).includes(word));
    };
    test.narrow = Boolean(words.length || want.agent || want.model || want.session || want.group !== "all");
    return test;
  };

  function derive() {
    roots ??= treeOf(state);
    const test = wanted();
    view.lines = linesOf(roots, test, view.sort, unfold, state.at, Date.now() + state.skewMs);
    if (!view.lines.some((line) => line.node.key === view.active)) view.active = view.lines[0]?.node.key ?? null;
    bars.showTotals(test);
    grid.showEmpty(emptyText(), want, clearFilters);
  }

  const emptyText = () => {
    if (view.lines.length) return null;
    if (!state.loaded && !state.trouble.length) return ["Reading the record…", ""];
    if (state.rows.size) return ["No run matches.", "clear"];
    if (state.trouble.length) return ["The record cannot be read now.", ""];
    return ["No runs yet.", "%%agent_bg\nWhat is the capital of France?"];
  };

  function clearFilters() {
    Object.assign(want, { text: "", group: "all", agent: "", model: "", session: "" });
    bars.showTexts();
    refilter();
  }

  function refilter() {
    grid.el.scrollTop = 0;
    derive();
    bars.showPressed();
    paintSoon();
  }

  function onSort(by) {
    const numbers = ["tokens", "cost", "time", "created"].includes(by);
    if (view.sort?.by !== by) view.sort = { by, down: numbers };
    else if (view.sort.down === numbers) view.sort = { by, down: !numbers };
    else view.sort = null;
    grid.showSort(view.sort);
    derive();
    paintSoon();
  }

  const activeAt = () => view.lines.findIndex((line) => line.node.key === view.active);

  function activate(number) {
    const line = view.lines[Math.max(0, Math.min(view.lines.length - 1, number))];
    if (!line) return;
    view.active = line.node.key;
    grid.reveal(view.lines.indexOf(line));
    paint();
  }

  function toggle(node, to) {
    if (!node.kids) return;
    unfold.set(node.key, to ?? !node.unfolded);
    derive();
    paint();
  }

  function openRun(id) {
    view.openId = view.openId === id ? null : id;
    showOpened();
    paint();
  }

  function showOpened() {
    view.opened?.end();
    view.opened = null;
    below.replaceChildren();
    grid.el.classList.toggle("nbagent-beside", Boolean(view.openId));
    if (!view.openId || typeof openedView !== "function") return;
    const close = () => {
      openRun(view.openId);
      grid.el.focus();
    };
    view.opened = openedView(below, view.openId, { model, state, command, opened, close });
  }

  function onClick(key, part) {
    const line = view.lines.find((one) => one.node.key === key);
    if (!line) return;
    view.active = key;
    const { node } = line;
    if (part === "twist" || !node.row) toggle(node);
    else if (part === "action") act(node);
    else openRun(key);
    paint();
  }

  function act(node) {
    const [name] = actionOf(node, state);
    if (name) command(name, node.row ? node.key : node.batchId);
  }

  function onKey(event) {
    const at = activeAt();
    const node = view.lines[at]?.node;
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: ROWS_SEEN - 1, PageUp: 1 - ROWS_SEEN };
    if (event.key in steps) activate(at + steps[event.key]);
    else if (event.key === "Home") activate(0);
    else if (event.key === "End") activate(view.lines.length - 1);
    else if (event.key === "ArrowRight" && node?.kids) toggle(node, true);
    else if (event.key === "ArrowLeft" && node?.unfolded) toggle(node, false);
    else if (event.key === "Enter" || event.key === " ") node && onClick(node.key, "row");
    else if (event.key === "Delete" && node && actionOf(node, state)[0].startsWith("cancel")) act(node);
    else if (event.key === "Escape" && view.openId) openRun(view.openId);
    else return;
    event.preventDefault();
  }

  function paint() {
    painting = 0;
    grid.paint(view, state);
  }

  function paintSoon() {
    painting ||= requestAnimationFrame(paint);
  }

  const touchesOrder = (columns) => {
    const { at } = state;
    if (want.text && ["says", "error"].some((name) => columns.has(at[name]))) return true;
    const read = { tokens: ["tokens"], cost: ["cost"], time: ["began_ms", "ended_ms"] }[view.sort?.by] ?? [];
    return read.some((name) => columns.has(at[name]));
  };

  return {
    /** `how`: "all", "time", "cells", or the set of columns that changed. */
    update(how) {
      if (how === "time") {
        if (view.lines.some(({ node }) => !ENDED.has(factsOf(node, state.at).status))) paintSoon();
        return;
      }
      if (how === "all") roots = null;
      else if (how instanceof Set) forgetSums(roots ?? []);
      if (how === "all" || (how instanceof Set && touchesOrder(how))) derive();
      else if (how instanceof Set) bars.showTotals(wanted());
      bars.showState();
      if (how === "all") bars.showFilters();
      view.opened?.update();
      paintSoon();
    },
    end() {
      cancelAnimationFrame(painting);
      view.opened?.end();
    },
  };
}

function forgetSums(nodes) {
  for (const node of nodes) {
    if (!node.kids) continue;
    node.sums = null;
    forgetSums(node.kids);
  }
}

/** What can be done with a node with one click: [command, what the button says]. */
function actionOf(node, state) {
  const { at } = state;
  const id = node.row ? node.key : node.batchId;
  const asked = state.asked.get(id);
  if (state.gone) return ["", ""];
  if (asked?.how === "waiting") return ["", "waiting…"];
  if (asked) return ["", { cancel: "cancelling…", cancel_batch: "cancelling…", retry: "retrying…", resume: "resuming…" }[asked.name] ?? "…"];
  const { status } = factsOf(node, at);
  if (!ENDED.has(status)) return [node.row ? "cancel" : "cancel_batch", "Cancel"];
  if (!node.row || node.row.cells[at.parent]) return ["", ""]; // a member is its leader's to repeat
  return RESUMABLE.has(status) ? ["resume", "Resume"] : ["retry", "Retry"];
}

/* ----------------------------------------------------------------------- bars */

/** What stands above the rows: totals, troubles, filters. */
function barsView(state, want, { refilter, command }) {
  const el = element("div", "bars");
  const totals = element("p", "totals");
  totals.setAttribute("role", "status");
  const stop = element("button", "button cancel-all");
  stop.type = "button";
  const head = element("div", "panel-head");
  head.append(totals, stop);
  const trouble = element("div", "trouble");
  trouble.setAttribute("role", "alert");
  const filters = element("div", "filters");
  filters.setAttribute("role", "search");
  const search = element("input", "search");
  Object.assign(search, { type: "search", placeholder: "Search runs", spellcheck: false });
  search.setAttribute("aria-label", "Search runs by text");
  const groups = element("div", "groups");
  groups.setAttribute("role", "group");
  groups.setAttribute("aria-label", "Status");
  const buttons = GROUPS.map(([name, word]) => {
    const button = element("button", "group");
    button.type = "button";
    const count = element("span", "count");
    button.append(document.createTextNode(word), count);
    button.addEventListener("click", () => {
      want.group = name;
      refilter();
    });
    groups.append(button);
    return { name, button, count };
  });
  const selects = ["agent", "model", "session"].map((name) => {
    const select = element("select", "select");
    select.setAttribute("aria-label", `Filter by ${name}`);
    select.addEventListener("change", () => {
      want[name] = select.value;
      refilter();
    });
    return { name, select };
  });
  search.addEventListener("input", () => {
    want.text = search.value;
    refilter();
  });
  stop.addEventListener("click", () => command("cancel_all", ""));
  filters.append(groups, search, ...selects.map((one) => one.select));
  el.append(head, trouble, filters);

  const put = (node, text) => node.textContent === text || (node.textContent = text);

  return {
    el,
    /** The sums over the runs that the filters let through. */
    showTotals(test) {
      const { at } = state;
      const sum = { runs: 0, running: 0, tokens: 0, known: 0, cost: 0, priced: 0, called: 0 };
      const counts = Object.fromEntries(GROUPS.map(([name]) => [name, 0]));
      for (const row of state.rows.values()) {
        const { cells } = row;
        for (const [name, , holds] of GROUPS) if (holds(cells[at.status])) counts[name] += 1;
        if (!test(row)) continue;
        sum.runs += 1;
        if (!ENDED.has(cells[at.status])) sum.running += 1;
        if (cells[at.tokens] != null) {
          sum.tokens += cells[at.tokens];
          sum.known += 1;
        }
        if (cells[at.priced] != null) sum.called += 1;
        if (cells[at.cost] != null) {
          sum.cost += cells[at.cost];
          sum.priced += 1;
        }
      }
      const all = test.narrow ? state.rows.size : Math.max(state.total, state.rows.size);
      const of = sum.runs < all ? `${NUMBER.format(sum.runs)} of ${NUMBER.format(all)} runs` : `${NUMBER.format(all)} run${all === 1 ? "" : "s"}`;
      const pairs = state.rows.size
        ? [
            sum.running ? `${NUMBER.format(sum.running)} running` : "",
            of,
            sum.known ? `${SHORT.format(sum.tokens)} tokens` : "",
            sum.priced ? dollars(sum.cost) : "",
            sum.priced < sum.called ? `cost known for ${NUMBER.format(sum.priced)} of ${NUMBER.format(sum.called)}` : "",
          ]
        : [];
      put(totals, pairs.filter(Boolean).join(" · ") || "nbagent");
      for (const { name, count } of buttons) put(count, ` ${NUMBER.format(counts[name])}`);
      this.running = counts.running;
      this.showState();
    },
    showState() {
      const asked = state.asked.get("");
      stop.hidden = !this.running || state.gone;
      put(stop, asked ? "cancelling…" : this.running > 1 ? `Cancel all ${NUMBER.format(this.running)}` : "Cancel it");
      stop.setAttribute("aria-disabled", String(Boolean(asked)));
      const said = [
        ...(state.gone ? [["This panel’s kernel is gone; what it showed last is below.", "Run the cell again for a live one."]] : []),
        ...(state.trouble.length && !state.gone ? [state.trouble] : []),
        ...state.said,
      ];
      const text = said.map((pair) => pair.join("\n")).join("\n\n");
      if (trouble.dataset.text !== text) {
        trouble.dataset.text = text;
        trouble.hidden = !text;
        trouble.replaceChildren(
          ...said.map(([what, todo]) => {
            const one = element("div", "one-trouble");
            one.append(element("p", "what", what), element("p", "todo", todo ?? ""));
            return one;
          }),
        );
      }
      el.parentElement?.toggleAttribute("data-gone", state.gone);
    },
    /** The filters' own state; a choice between one thing is none and is not shown. */
    showPressed() {
      for (const { name, button } of buttons) button.setAttribute("aria-pressed", String(want.group === name));
    },
    showTexts() {
      search.value = want.text;
      for (const { name, select } of selects) select.value = want[name];
    },
    showFilters() {
      const { at } = state;
      filters.hidden = state.rows.size === 0;
      this.showPressed();
      for (const { name, select } of selects) {
        const counts = new Map();
        for (const { cells } of state.rows.values()) {
          const value = cells[at[name]];
          if (value) counts.set(value, (counts.get(value) ?? 0) + 1);
        }
        // a session of one run is no group; with thousands of them a list helps nobody
        const listed = [...counts].filter(([, count]) => name !== "session" || count > 1).slice(0, 200);
        const values = listed.map(([value]) => value).sort();
        if (want[name] && !values.includes(want[name])) values.push(want[name]);
        select.hidden = values.length < 2 && !want[name];
        const key = values.join("\n");
        if (select.dataset.key !== key) {
          select.dataset.key = key;
          const every = new Option(`Any ${name}`, "");
          select.replaceChildren(every, ...values.map((value) => new Option(value, value)));
        }
        select.value = want[name];
      }
    },
    running: 0,
  };
}

function dollars(value) {
  if (value === 0) return "$0";
  if (value >= 0.1) return `$${value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  return `$${Number(value.toPrecision(2))}`;
}

/* ----------------------------------------------------------------------- grid */

const HEADS = [
  ["status", "Status"], ["title", "Run"], ["model", "Model"], ["says", "Answer"], ["tokens", "Tokens"],
  ["cost", "Cost"], ["time", "Time"], ["created", "Launched"], ["action", ""],
];
let gridsMade = 0;

/** The rows in sight, drawn with as few elements as fit; `paint` fills them. */
function gridView({ onSort, onKey, onClick, onScroll }) {
  const prefix = `nbagent-grid-${(gridsMade += 1)}-${Math.random().toString(36).slice(2, 8)}`;
  const el = element("div", "grid");
  el.setAttribute("role", "treegrid");
  el.setAttribute("aria-label", "Runs");
  el.setAttribute("aria-description", "Enter opens a run, Right and Left unfold and fold, Delete cancels.");
  el.tabIndex = 0;
  const heads = new Map();
  const headGroup = element("div", "grid-head");
  headGroup.setAttribute("role", "rowgroup");
  const headRow = element("div", "line");
  headRow.setAttribute("role", "row");
  for (const [name, word] of HEADS) {
    const cell = element("div", `cell c-${name}`);
    cell.setAttribute("role", "columnheader");
    if (name in SORTS) {
      const button = element("button", "sort", word);
      button.type = "button";
      button.addEventListener("click", () => onSort(name));
      cell.append(button);
      heads.set(name, cell);
    } else if (word) cell.textContent = word;
    else cell.append(element("span", "unseen", "Action"));
    headRow.append(cell);
  }
  headGroup.append(headRow);
  const sizer = element("div", "sizer");
  sizer.setAttribute("role", "rowgroup");
  const empty = element("div", "empty");
  el.append(headGroup, sizer, empty);
  const pool = [];
  let rowsShown = 0;
  let counted = -1;

  el.addEventListener("scroll", onScroll, { passive: true });
  el.addEventListener("keydown", (event) => event.target === el && onKey(event));
  sizer.addEventListener("click", (event) => {
    const line = event.target.closest(".nbagent-line");
    const part = event.target.closest("[data-part]")?.dataset.part ?? "row";
    // a text that was just selected is being copied, not opened
    if (line && !(part === "row" && String(getSelection()))) onClick(line.dataset.key, part);
  });
  const sized = new ResizeObserver(onScroll);
  sized.observe(el);

  return {
    el,
    showSort(sort) {
      for (const [name, cell] of heads) {
        if (sort?.by === name) cell.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
        else cell.removeAttribute("aria-sort");
      }
    },
    showEmpty(said, want, clear) {
      empty.hidden = !said;
      headGroup.hidden = sizer.hidden = Boolean(said);
      const key = said?.join("\n") ?? "";
      if (empty.dataset.key === key) return;
      empty.dataset.key = key;
      empty.replaceChildren();
      if (!said) return;
      empty.append(element("p", "", said[0]));
      if (said[1] === "clear") {
        const button = element("button", "button", "Clear filters");
        button.type = "button";
        button.addEventListener("click", clear);
        empty.append(button);
      } else if (said[1]) {
        empty.append(element("p", "todo", "Launch one from a cell:"), element("pre", "sample", said[1]));
      }
    },
    reveal(number) {
      const head = headGroup.offsetHeight;
      const top = number * ROW_PX;
      if (top < el.scrollTop) el.scrollTop = top;
      else if (top + ROW_PX + head > el.scrollTop + el.clientHeight) el.scrollTop = top + ROW_PX + head - el.clientHeight;
    },
    paint(view, state) {
      const { lines } = view;
      const seen = view.openId ? ROWS_SEEN_BESIDE : ROWS_SEEN;
      const height = `${lines.length * ROW_PX}px`;
      if (sizer.style.height !== height) sizer.style.height = height;
      const shown = Math.min(seen, Math.max(1, lines.length));
      if (shown !== rowsShown) el.style.setProperty("--nb-rows", (rowsShown = shown)); // a new style for each row
      if (lines.length !== counted) el.setAttribute("aria-rowcount", (counted = lines.length) + 1);
      const first = Math.max(0, Math.floor(el.scrollTop / ROW_PX) - SPARE_ROWS);
      const last = Math.min(lines.length, Math.ceil((el.scrollTop + el.clientHeight) / ROW_PX) + SPARE_ROWS);
      let active = "";
      for (let number = first; number < last; number += 1) {
        const made = (pool[number - first] ??= rowView(sizer, `${prefix}-${number - first}`));
        made.show(lines[number], number, view, state);
        if (lines[number].node.key === view.active) active = made.el.id;
      }
      pool.slice(Math.max(0, last - first)).forEach((made) => made.hide());
      if (active) el.setAttribute("aria-activedescendant", active);
      else el.removeAttribute("aria-activedescendant");
    },
  };
}

/** One row's elements, given to whichever line is in sight. */
function rowView(home, id) {
  const el = element("div", "line");
  el.id = id;
  el.setAttribute("role", "row");
  const cells = Object.fromEntries(
    HEADS.map(([name]) => {
      const cell = element("div", `cell c-${name}`);
      cell.setAttribute("role", "gridcell");
      el.append(cell);
      return [name, cell];
    }),
  );
  const chip = element("span", "chip");
  cells.status.append(chip);
  const twist = element("span", "twist");
  twist.dataset.part = "twist";
  twist.setAttribute("aria-hidden", "true");
  const title = element("span", "title");
  const count = element("span", "kids");
  cells.title.append(twist, title, count);
  const text = document.createTextNode("");
  const bar = element("div", "progress");
  bar.setAttribute("role", "progressbar");
  bar.setAttribute("aria-valuemin", "0");
  const fill = element("div", "progress-done");
  bar.append(fill);
  cells.says.append(bar, text);
  const button = element("button", "button act");
  button.type = "button";
  button.tabIndex = -1;
  button.dataset.part = "action";
  cells.action.append(button);
  home.append(el);

  let depthShown = -1;
  const put = (node, value) => node.textContent === value || (node.textContent = value);
  const set = (name, value) => el.getAttribute(name) === value || el.setAttribute(name, value);

  return {
    el,
    hide: () => (el.hidden = true),
    show({ node, depth }, number, view, state) {
      const { at } = state;
      const facts = factsOf(node, at);
      const run = node.row?.cells;
      const now = state.stoppedMs ?? Date.now() + state.skewMs;
      el.hidden = false;
      el.style.transform = `translateY(${number * ROW_PX}px)`;
      if (depth !== depthShown) el.style.setProperty("--nb-depth", (depthShown = depth));
      set("data-key", node.key);
      set("data-status", facts.status);
      set("aria-rowindex", String(number + 2));
      set("aria-level", String(depth + 1));
      set("aria-selected", String(view.openId === node.key));
      el.toggleAttribute("data-active", view.active === node.key);
      if (node.kids) set("aria-expanded", String(Boolean(node.unfolded)));
      else el.removeAttribute("aria-expanded");
      put(chip, run && run[at.reason] ? `${facts.status}: ${run[at.reason]}` : facts.status);
      twist.hidden = !node.kids;
      put(title, facts.title);
      put(count, node.kids ? (node.row ? `+${node.kids.length}` : `× ${NUMBER.format(facts.of)}`) : "");
      put(cells.model, facts.model);
      showSays(run, facts, at);
      const unknown = ENDED.has(facts.status) ? "?" : "";
      put(cells.tokens, facts.tokens == null ? unknown : NUMBER.format(facts.tokens));
      put(cells.cost, facts.cost == null ? unknown : `${facts.priced ? "" : "≥ "}${dollars(facts.cost)}`);
      put(cells.time, timeOf(facts, now));
      put(cells.created, facts.created == null ? "" : momentOf(facts.created, now));
      const [name, word] = actionOf(node, state);
      button.hidden = !word;
      put(button, word);
      button.setAttribute("aria-disabled", String(!name));
      button.setAttribute("aria-label", `${word} ${facts.title}`);
      button.dataset.command = name;
    },
  };

  function showSays(run, facts, at) {
    bar.hidden = Boolean(run);
    if (run) {
      const said = run[at.error] || run[at.says];
      cells.says.toggleAttribute("data-prompt", !said);
      cells.says.toggleAttribute("data-error", Boolean(run[at.error]));
      if (text.data !== (said || run[at.prompt])) text.data = said || run[at.prompt];
      return;
    }
    cells.says.removeAttribute("data-prompt");
    cells.says.toggleAttribute("data-error", false);
    bar.setAttribute("aria-valuemax", String(facts.of));
    bar.setAttribute("aria-valuenow", String(facts.done));
    bar.setAttribute("aria-label", "batch");
    fill.style.width = `${facts.of ? (100 * facts.done) / facts.of : 0}%`;
    const failed = facts.failed ? `, ${NUMBER.format(facts.failed)} not completed` : "";
    text.data = `${NUMBER.format(facts.done)} of ${NUMBER.format(facts.of)}${failed}`;
  }
}

function timeOf(facts, now) {
  if (facts.began == null) return "";
  const ms = Math.max(0, (facts.ended ?? (ENDED.has(facts.status) ? facts.began : now)) - facts.began);
  if (facts.ended == null) return duration(ms);
  return ms < 10000 ? `${(ms / 1000).toFixed(1)} s` : duration(ms);
}

/** The moment of a launch, as short as it is clear: the time today, the day before that. */
function momentOf(ms, now) {
  const then = new Date(ms);
  if (then.toDateString() === new Date(now).toDateString()) return then.toLocaleTimeString("en-GB");
  const sameYear = then.getFullYear() === new Date(now).getFullYear();
  return then.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: sameYear ? undefined : "numeric" });
}
