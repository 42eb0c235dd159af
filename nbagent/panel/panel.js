/* The panel: one run as a card, all runs as a table, a run opened below the table. One ES module: nothing is built,
 * nothing is fetched.
 *
 *   entry     the widget: which of its faces a model shows
 *   kernel    commands to it, and whether it is still there
 *   card      one run: its state and messages, its view, structured answers
 *   table     all runs: their state and messages, their order, the view with its bars and its grid
 *   opened    a run below the table: its card over the table's own messages, and its details
 *   parts     elements, words, numbers
 *
 * A card's state comes as the trait `card` ({seq, now_ms, row, text}), its changes as custom messages ({seq, now_ms,
 * row?, append}). The table's comes as the trait `table` ({seq, now_ms, columns, lines: JSON text, loaded, total,
 * trouble}), its changes as {seq, now_ms, new?: lines, cells?: [id, column, value, ...], ...}. Who misses a number asks
 * for the whole. One model serves all views of it; sorting, filters and folding are a view's own.
 *
 * Everything that a model or a person wrote goes into the page as text. `row.html` alone is markup: prose.py made it of
 * Markdown and sanitised it in the kernel.
 */

const ACK_MS = 1500; // then the control channel counts as closed
const ASK_AGAIN_MS = 1000; // between two requests for the whole
const HONOUR_MS = 3000; // then the button says that it waits for the kernel
const NEAR_BOTTOM_PX = 32;
const ROW_PX = 34;
const ROWS_SEEN = 12;
const ROWS_SEEN_BESIDE = 6; // while a run is open below
const SPARE_ROWS = 6; // drawn above and below what is in sight
const MOVED_MS = 300; // a row that has just moved under the pointer, or got another button, hears no click
const SAID_MS = 12000;
const RATE_MS = 60 * 1000; // a batch's speed is that of its last minute
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

/* ===================================================================== entry */

/** One widget model shows a card or the table. */
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

/* ==================================================================== kernel */

/** Send a command; the answer is the route that took it: "control", "comm" or "none". */
async function send(model, command, runId, more = {}) {
  const random = globalThis.crypto?.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
  const content = { ...more, command, run_id: runId, command_id: random };
  if (await sentByControl(model, content)) return "control";
  try {
    model.send(content); // the id makes a second hearing harmless
    return "comm";
  } catch {
    return "none";
  }
}

/** The control channel is served while a cell is busy. True once the kernel has acknowledged. */
async function sentByControl(model, content) {
  try {
    const kernel = (await model.widget_manager)?.kernel;
    if (typeof kernel?.sendControlMessage !== "function") return false;
    const header = {
      msg_id: content.command_id,
      msg_type: "nbagent_request",
      session: kernel.clientId ?? "",
      username: kernel.username ?? "",
      date: new Date().toISOString(),
      version: "5.3",
    };
    const message = { channel: "control", header, parent_header: {}, metadata: {}, content, buffers: [] };
    const future = kernel.sendControlMessage(message, true, true);
    future.done?.catch?.(() => {}); // a kernel that restarts is no error of the page
    const acknowledged = new Promise((resolve) => {
      future.onReply = (reply) => resolve(reply.content?.status === "ok" && reply.content.heard === true);
    });
    return await Promise.race([acknowledged, new Promise((resolve) => setTimeout(resolve, ACK_MS, false))]);
  } catch {
    return false;
  }
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

/* ====================================================================== card */

/** One run: a widget model, or a run opened in the table, and all its views. */
const cardWidget = () => {
  const state = { seq: -1, row: {}, text: "", beganAt: 0, cancel: "ready", decided: new Map(), askedAt: -Infinity };
  const views = new Set();
  const changed = (appended) => views.forEach((view) => view.update(appended));

  const keepTime = (nowMs) => {
    state.beganAt = performance.now() - Math.max(0, nowMs - (state.row.began_ms ?? nowMs));
  };

  const restate = (card) => {
    if (!card || !card.row) return;
    Object.assign(state, { seq: card.seq, row: card.row, text: card.text });
    state.decided.clear(); // what still waits was not heard, or refused: it may be clicked again
    keepTime(card.now_ms);
    changed(null);
  };

  const hear = (model, message) => {
    if (typeof message?.seq !== "number" || message.seq <= state.seq) return;
    if (message.seq !== state.seq + 1) {
      if (performance.now() - state.askedAt > ASK_AGAIN_MS) {
        state.askedAt = performance.now();
        send(model, "resend", state.row.run_id);
      }
      return;
    }
    state.seq = message.seq;
    if (message.row) {
      state.row = message.row;
      keepTime(message.now_ms);
    }
    state.text += message.append;
    changed(message.append);
  };

  const cancel = async (model) => {
    if (state.cancel !== "ready" || state.row.final) return;
    state.cancel = "heard";
    changed("");
    const route = await send(model, "cancel", state.row.run_id);
    if (route === "none") state.cancel = "gone";
    else if (route === "comm") {
      setTimeout(() => {
        if (state.cancel === "heard") state.cancel = "waiting";
        changed("");
      }, HONOUR_MS);
    }
    changed("");
  };

  const decide = async (model, call, command) => {
    const key = keyOf(call);
    if (state.decided.has(key) || state.row.final) return;
    state.decided.set(key, command);
    changed("");
    const which = { tool_call_id: call.tool_call_id, step: call.step, card: state.row.run_id };
    if ((await send(model, command, call.run_id, which)) === "none") state.decided.set(key, "gone");
    changed("");
  };

  return {
    initialize({ model }) {
      restate(model.get("card"));
      model.on("change:card", () => restate(model.get("card")));
      model.on("msg:custom", (message) => hear(model, message));
    },
    render({ model, el }) {
      const view = cardView(el, state, {
        cancel: () => cancel(model),
        decide: (call, command) => decide(model, call, command),
      });
      const hiding = hideSnapshot(model.get("key"));
      views.add(view);
      view.update(null);
      return () => {
        views.delete(view);
        view.end();
        hiding.remove();
      };
    },
  };
};

/* ---------------------------------------------------------------- card: view */

/** Build the card's elements in `el`; `update(appended)` redraws what changed, null redraws everything. */
function cardView(el, state, on) {
  const chip = element("span", "chip");
  const elapsed = element("span", "elapsed");
  const button = element("button", "button cancel", "Cancel");
  button.type = "button";
  const title = element("span", "title");
  const origin = element("span", "origin");
  const status = element("span", "status");
  status.setAttribute("role", "status");
  status.setAttribute("aria-live", "polite");
  status.append(chip);
  const names = element("div", "names");
  names.append(title, origin);
  const head = element("header", "head");
  head.append(status, names, elapsed, button);

  const banner = element("p", "banner");
  const text = document.createTextNode("");
  const [answer, prose] = ["answer", "prose"].map((name) => {
    const made = element("div", name);
    made.setAttribute("role", "region");
    made.setAttribute("aria-label", "answer");
    return made;
  });
  answer.append(text);
  const raw = element("details", "raw");
  raw.append(element("summary", "", "raw answer"));
  const structured = structuredView();
  const waiting = element("p", "waiting");
  const approvals = element("div", "approvals");
  const activity = element("div", "activity");
  const error = element("div", "error");
  const members = element("ul", "members");
  members.setAttribute("aria-label", "members");
  const body = element("div", "body");
  body.append(members, waiting, approvals, structured.el, prose, answer, raw, activity, error);

  const facts = element("div", "facts");
  const code = element("code", "code");
  const copy = element("button", "button copy", "Copy");
  copy.type = "button";
  const foot = element("footer", "foot");
  const access = element("div", "access");
  access.append(code, copy);
  foot.append(facts, access);

  const root = element("section", "card");
  root.tabIndex = -1;
  root.append(head, banner, body, foot);
  el.classList.add("nbagent");
  el.append(root);

  button.addEventListener("click", on.cancel);
  copy.addEventListener("click", () => copyText(copy, code.textContent));

  const showTime = () => {
    const { row } = state;
    if (row.final) elapsed.textContent = row.took ?? "";
    else elapsed.textContent = row.began_ms == null ? "" : duration(performance.now() - state.beganAt);
  };
  const clock = setInterval(() => state.row.final || showTime(), 1000);

  const showText = (appended) => {
    const sticks = answer.scrollHeight - answer.scrollTop - answer.clientHeight < NEAR_BOTTOM_PX;
    if (appended === null || text.length + appended.length !== state.text.length) text.data = state.text;
    else if (appended) text.appendData(appended);
    answer.hidden = !state.text || Boolean(state.row.html);
    if (sticks && !state.row.final) answer.scrollTop = answer.scrollHeight;
    reachable(answer);
  };

  let laidOut = "";
  const showProse = (html) => {
    prose.hidden = !html;
    if (html === laidOut) return;
    laidOut = html;
    prose.innerHTML = html; // the one text that is markup: sanitised in the kernel, see prose.py
    reachable(prose);
  };

  const showCancel = () => {
    const { row, cancel } = state;
    if (row.final && document.activeElement === button) root.focus({ preventScroll: true });
    button.hidden = Boolean(row.final);
    button.textContent = { ready: "Cancel", heard: "cancelling…", waiting: "waits for the kernel", gone: "kernel is gone" }[cancel];
    button.setAttribute("aria-disabled", String(cancel !== "ready"));
    button.setAttribute("aria-label", cancel === "ready" ? `Cancel ${row.title ?? "run"}` : button.textContent);
  };

  let asked = "";
  const showApprovals = () => {
    const calls = state.row.approvals ?? [];
    const wanted = JSON.stringify([calls, [...state.decided]]);
    if (wanted === asked) return;
    asked = wanted;
    const hadFocus = approvals.contains(document.activeElement);
    drawApprovals(approvals, calls, state.decided, on.decide);
    if (hadFocus) root.focus({ preventScroll: true });
  };

  let drawn = null;
  const showRow = () => {
    const { row } = state;
    if (row === drawn) return;
    drawn = row;
    root.dataset.status = row.status ?? "pending";
    root.setAttribute("aria-label", `run ${row.title ?? ""}`);
    const word = row.reason ? `${row.status}: ${row.reason}` : row.status;
    if (chip.textContent !== word) chip.textContent = word ?? "";
    title.textContent = row.title ?? "";
    origin.textContent = [row.agent, row.model].filter(Boolean).join(" · ");
    fill(banner, row.banner);
    fill(waiting, row.waiting);
    lines(activity, [
      ...(row.calls ?? []).map((line) => ["call", line]),
      ...(row.called ? [["called", row.called]] : []),
      ...(row.retry ? [["retry", row.retry]] : []),
      ...(row.notices ?? []).map((line) => ["notice", line]),
    ]);
    lines(error, (row.error ?? []).filter(Boolean).map((line, at) => [at ? "todo" : "what", line]));
    drawMembers(members, row.members ?? []);
    structured.update(row);
    showProse(row.html ?? "");
    // the text of a structured answer is folded away once its table stands there
    if (answer.parentNode !== (row.form ? raw : body)) row.form ? raw.append(answer) : body.insertBefore(answer, raw);
    raw.hidden = !row.form;
    drawFacts(facts, row.facts ?? []);
    code.textContent = row.code ?? "";
    copy.setAttribute("aria-label", `Copy ${row.code ?? ""}`);
    showTime();
  };

  return {
    update(appended) {
      showRow();
      showApprovals();
      showText(appended);
      showCancel();
    },
    end: () => clearInterval(clock),
  };
}

const keyOf = (call) => `${call.run_id} ${call.step} ${call.tool_call_id}`;

/** The calls that wait for a person, each with its arguments as text and its own two buttons. */
function drawApprovals(home, calls, decided, onDecide) {
  home.hidden = calls.length === 0;
  home.replaceChildren(
    ...calls.map((call) => {
      const said = decided.get(keyOf(call));
      const buttons = ["approve", "deny"].map((command) => {
        const word = command === "approve" ? "Approve" : "Deny";
        const button = element("button", `button ${command}`, word);
        button.type = "button";
        button.setAttribute("aria-label", `${word} ${call.by ? `for ${call.by}: ` : ""}${call.call}`);
        button.setAttribute("aria-disabled", String(said !== undefined));
        button.addEventListener("click", () => onDecide(call, command));
        return button;
      });
      const heard = { approve: "approving…", deny: "denying…", gone: "kernel is gone" }[said] ?? "";
      const choice = element("div", "choice");
      choice.append(...buttons, element("span", "said", heard));
      const approval = element("div", "approval");
      const what = element("div", "asking");
      if (call.by) what.append(element("span", "by", call.by));
      what.append(element("code", "asked", call.call));
      approval.append(what, choice);
      return approval;
    }),
  );
}

function drawMembers(home, rows) {
  home.hidden = rows.length === 0;
  home.replaceChildren(
    ...rows.map((row) => {
      const line = element("li", "member");
      line.dataset.status = row.status;
      line.style.paddingInlineStart = `${(row.depth - 1) * 1.5}em`;
      line.append(element("span", "name", row.name), element("span", "state", row.status), element("span", "value", row.tokens));
      return line;
    }),
  );
}

function drawFacts(home, pairs) {
  home.hidden = pairs.length === 0;
  home.replaceChildren(
    ...pairs.map(([name, value]) => {
      const pair = element("span", "fact");
      pair.append(element("span", "name", `${name} `), element("span", "value", value));
      if (value === "?") pair.title = "the provider did not say";
      return pair;
    }),
  );
}

/* -------------------------------------------------- card: structured answers */

/** A structured answer: as a table, with a row an element, or as a tree in its own shape; two buttons choose. */
function structuredView() {
  const el = element("div", "structured");
  const choice = element("div", "forms");
  choice.setAttribute("role", "group");
  choice.setAttribute("aria-label", "show the answer as");
  const home = element("div", "form");
  home.setAttribute("role", "region");
  home.setAttribute("aria-label", "structured answer");
  const more = element("p", "more");
  el.append(choice, home, more);
  let form = null; // what a person chose
  let drawn = "";
  let shown = {};

  const buttons = [["table", "Table"], ["tree", "Tree"]].map(([name, word]) => {
    const button = element("button", "group", word);
    button.type = "button";
    button.addEventListener("click", () => {
      form = name;
      draw();
    });
    choice.append(button);
    return [name, button];
  });

  const draw = () => {
    const now = form ?? shown.form;
    for (const [name, button] of buttons) button.setAttribute("aria-pressed", String(name === now));
    home.replaceChildren(now === "tree" ? treeList(shown.tree.kids ?? [], 1) : tableOf(shown.table));
    fill(more, now === "tree" ? "" : shown.more);
    reachable(home);
  };

  return {
    el,
    update({ table, tree, more: left, form: first }) {
      el.hidden = !first;
      const wanted = first ? JSON.stringify([table, tree]) : "";
      if (wanted === drawn) return; // what a person has unfolded stays so
      drawn = wanted;
      if (!first) return;
      shown = { table, tree, more: left, form: first };
      choice.hidden = !table || !tree;
      draw();
    },
  };
}

function tableOf({ columns, numeric, cells }) {
  const cell = (name, value, at) => element(name, numeric[at] ? "number" : "", value);
  const head = element("tr");
  head.append(...columns.map((name, at) => Object.assign(cell("th", name, at), { scope: "col" })));
  const body = cells.map((values) => {
    const tr = element("tr");
    tr.append(...values.map((value, at) => cell("td", value, at)));
    return tr;
  });
  const table = element("table");
  const thead = element("thead");
  const tbody = element("tbody");
  thead.append(head);
  tbody.append(...body);
  table.append(thead, tbody);
  return table;
}

/** Branches fold by themselves (`details`), so a tree is walked and unfolded by keyboard as it is. */
function treeList(nodes, depth) {
  const list = element("ul", "tree");
  for (const { name, kind, text, note, kids } of nodes) {
    const item = element("li");
    const key = element("span", "key", name);
    if (kids) {
      const branch = element("details");
      branch.open = depth < 3 && kids.length <= 20;
      const head = element("summary");
      head.append(key, element("span", "note", note));
      branch.append(head, treeList(kids, depth + 1));
      item.append(branch);
    } else {
      const value = element("span", "leaf", text);
      value.dataset.kind = kind;
      item.append(...(name ? [key, value] : [value]));
      item.className = "nbagent-leaf-line";
    }
    list.append(item);
  }
  return list;
}

/* ===================================================================== table */

function tableModel(model) {
  const state = {
    seq: -1, at: {}, rows: new Map(), total: 0, loaded: false, trouble: [], gone: false, skewMs: 0,
    stoppedMs: null, asked: new Map(), said: [], askedAt: -Infinity, batches: new Map(), only: null,
  };
  const views = new Set();
  const opened = new Map(); // run id -> what a card needs of a model, see openedRun
  const changed = (how) => views.forEach((view) => view.update(how));

  const lineOf = (cells) => ({ cells, hay: null });

  const restate = (table) => {
    if (!table?.columns) return;
    state.at = Object.fromEntries(table.columns.map((name, number) => [name, number]));
    state.rows = new Map(JSON.parse(table.lines).map((cells) => [cells[0], lineOf(cells)]));
    const { seq, total, loaded, trouble, only } = table;
    state.batches = new Map(Object.entries(table.batches));
    Object.assign(state, { seq, total, loaded, trouble, only, gone: false, stoppedMs: null });
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
    for (const [id, batch] of Object.entries(message.batches ?? {})) {
      const known = state.batches.get(id); // the tree holds it
      if (known) Object.assign(known, batch);
      else how = state.batches.set(id, batch) && "all";
      if (batch.finished) state.asked.delete(id);
    }
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

/* -------------------------------------------------------------- table: lines */

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
        batch = { key: `batch ${batchId}`, batchId, row: null, kids: [], sums: null, told: state.batches.get(batchId) };
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
      priced: cells[at.priced], of: 0, ends: [],
    };
  }
  if (node.sums) return node.sums;
  const kids = node.kids.map((kid) => factsOf(kid, at));
  const own = cells ? [factsOf({ row: node.row }, at)] : [];
  const all = [...own, ...kids];
  const known = (name) => all.map((one) => one[name]).filter((value) => value != null);
  const total = (name) => (known(name).length ? known(name).reduce((sum, value) => sum + value, 0) : null);
  let open = kids.filter((one) => !ENDED.has(one.status)).length;
  const count = (...wanted) => kids.filter((one) => wanted.includes(one.status)).length;
  const rows = node.told ? rowsOf(node.told, count("cancelled")) : null;
  if (rows) open = rows.open;
  const priced = known("priced");
  const ends = known("ended");
  const statuses = new Set(kids.map((one) => one.status));
  if (rows?.cancelled && !open) statuses.add("cancelled"); // rows that were not asked
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
    of: kids.length,
    open,
    failed: count("error", "timeout", "interrupted"),
    cancelled: count("cancelled"),
    ends,
    ...rows,
  };
  return node.sums;
}

/** What a batch of this kernel says of its rows, which are more than its runs: not asked yet, or answered earlier. */
function rowsOf({ total, done, failed, not_asked, rate, finished }, stopped) {
  const ended = done + failed + not_asked;
  const open = finished ? 0 : Math.max(1, (total ?? ended + 1) - ended);
  const cancelled = finished ? Math.min(failed, stopped) : 0;
  return { of: ended + open, open, failed: failed - cancelled, cancelled: cancelled + not_asked, rate, endless: total == null };
}

/** Runs of a batch ended per second: of all once it is over, else in the last minute; 0 where nothing can be said. */
function rateOf({ began, ended, ends, of, rate }, now) {
  if (rate != null) return rate;
  if (began == null || !ends.length) return 0;
  if (ended != null) return ended > began ? (1000 * of) / (ended - began) : 0;
  const since = Math.max(began, now - RATE_MS);
  const lately = ends.reduce((sum, end) => sum + (end >= since), 0);
  return now - since < 1000 ? 0 : (1000 * lately) / (now - since);
}

/** How far a batch is, in words: done, failed, left, how fast, and for how long yet. */
function progressOf(facts, now) {
  const done = facts.of - facts.open;
  const rate = rateOf(facts, now);
  const speed = rate >= 1 ? `${SHORT.format(rate)}/s` : `${SHORT.format(60 * rate)}/min`;
  return [
    facts.endless ? NUMBER.format(done) : facts.open ? `${NUMBER.format(done)} of ${NUMBER.format(facts.of)}` : `all ${NUMBER.format(facts.of)} ended`,
    facts.failed ? `${NUMBER.format(facts.failed)} failed` : "",
    facts.cancelled ? `${NUMBER.format(facts.cancelled)} cancelled` : "",
    facts.open && !facts.endless ? `${NUMBER.format(facts.open)} left` : "",
    rate ? speed : "",
    rate && facts.open && !facts.endless ? `${duration((1000 * facts.open) / rate)} to go` : "",
  ].filter(Boolean);
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
      // members in the order of their launch; of a batch's many, what runs first
      walk(kids, depth + 1, order ?? (node.row ? { by: "created", down: false } : null));
    }
  };
  walk(hitsOf(roots), 0, sort);
  return lines;
}

const ALONE = { self: true, kids: new Map() };

/* --------------------------------------------------------------- table: view */

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
    if (state.only) return ["No row is asked yet.", ""];
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
    if (!view.openId) return;
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
    if (part === "action") act(node);
    else if (part === "twist" || !node.row) toggle(node);
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
  if (asked) return ["", { cancel: "cancelling…", cancel_batch: "cancelling…", retry: "retrying…", retry_batch: "retrying…", resume: "resuming…" }[asked.name] ?? "…"];
  const { status } = factsOf(node, at);
  if (!ENDED.has(status)) return [node.row ? "cancel" : "cancel_batch", "Cancel"];
  if (node.told && node.told.failed) return ["retry_batch", "Retry"]; // the rows that have no answer
  if (!node.row || node.row.cells[at.parent]) return ["", ""]; // a member is its leader's to repeat
  return RESUMABLE.has(status) ? ["resume", "Resume"] : ["retry", "Retry"];
}

/* --------------------------------------------------------------- table: bars */

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
      stop.hidden = !this.running || state.gone || state.only !== null; // a batch's own row has its Cancel
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
      filters.hidden = state.rows.size === 0 || state.only !== null;
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

/* --------------------------------------------------------------- table: grid */

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
  let pressed = null; // what the row under the pointer was offering
  sizer.addEventListener("pointerdown", (event) => {
    const line = event.target.closest(".nbagent-line");
    pressed = line && !line.hasAttribute("data-moved") ? line.dataset.offer : null;
  });
  sizer.addEventListener("click", (event) => {
    const line = event.target.closest(".nbagent-line");
    const part = event.target.closest("[data-part]")?.dataset.part ?? "row";
    // what was meant may have moved on under the pointer; a key or a script says what it means
    if (part === "action" && event.detail && pressed !== line.dataset.offer) return;
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
  const parts = ["completed", "failed", "cancelled"].map((name) => element("div", `progress-part p-${name}`));
  bar.append(...parts);
  cells.says.append(bar, text);
  const button = element("button", "button act");
  button.type = "button";
  button.tabIndex = -1;
  button.dataset.part = "action";
  cells.action.append(button);
  home.append(el);

  let depthShown = -1;
  let moved = 0;
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
      const offerBefore = el.hidden ? undefined : el.dataset.offer;
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
      showSays(run, facts, at, now);
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
      set("data-offer", `${node.key} ${name}`);
      if (offerBefore !== undefined && offerBefore !== el.dataset.offer) {
        el.setAttribute("data-moved", "");
        clearTimeout(moved);
        moved = setTimeout(() => el.removeAttribute("data-moved"), MOVED_MS);
      }
    },
  };

  function showSays(run, facts, at, now) {
    bar.hidden = Boolean(run);
    el.toggleAttribute("data-batch", !run);
    if (run) cells.says.removeAttribute("title");
    if (run) {
      const said = run[at.error] || run[at.says];
      cells.says.toggleAttribute("data-prompt", !said);
      cells.says.toggleAttribute("data-error", Boolean(run[at.error]));
      if (text.data !== (said || run[at.prompt])) text.data = said || run[at.prompt];
      return;
    }
    cells.says.removeAttribute("data-prompt");
    cells.says.toggleAttribute("data-error", false);
    const done = facts.of - facts.open;
    const words = progressOf(facts, now);
    bar.setAttribute("aria-valuemax", String(facts.of));
    bar.setAttribute("aria-valuenow", String(done));
    bar.setAttribute("aria-valuetext", words.join(", "));
    bar.setAttribute("aria-label", `batch ${facts.title}`);
    [done - facts.failed - facts.cancelled, facts.failed, facts.cancelled].forEach((count, number) => {
      parts[number].style.width = `${(100 * count) / facts.of}%`;
    });
    text.data = cells.says.title = words.join(" · ");
  }
}

/* ==================================================================== opened */

/* The kernel sends card and details over the table's own model, with the run's id on each message: {run, card}
 * everything, {run, seq, ...} a change, {run, details} steps, calls and messages. The card does not know: it is given a
 * face of a model. */

/** What a card needs of a model, fed from the table's messages about one run. */
function openedRun(model, id) {
  const listeners = new Map();
  const emit = (event, ...given) => (listeners.get(event) ?? []).forEach((listener) => listener(...given));
  const card = cardWidget();
  const run = {
    whole: null,
    details: null,
    views: new Set(),
    hear(message) {
      if (message.card) {
        const first = run.whole === null;
        run.whole = message.card;
        if (first) card.initialize({ model: run.face });
        else emit("change:card");
      } else if (message.details) run.details = message.details;
      else emit("msg:custom", message);
      run.views.forEach((view) => view.update());
    },
    render: (el) => card.render({ model: run.face, el }),
    face: {
      get: (name) => ({ card: run.whole, key: "" })[name],
      on: (event, listener) => listeners.set(event, [...(listeners.get(event) ?? []), listener]),
      off: (event) => listeners.delete(event),
      send: (content) => model.send(content),
      get widget_manager() {
        return model.widget_manager;
      },
      id,
    },
  };
  return run;
}

/** Show a run below the table; `update()` after each change of the table or the run. */
function openedView(home, id, { model, state, command, opened, close }) {
  const known = opened.get(id);
  const run = known ?? openedRun(model, id);
  opened.set(id, run);
  const root = element("article", "opened");
  root.setAttribute("aria-label", "opened run");
  const names = element("p", "opened-id");
  const again = element("button", "button again");
  const answer = element("button", "button copy", "Copy answer");
  const code = element("button", "button copy", "Copy code");
  const shut = element("button", "button shut", "Close");
  for (const button of [again, answer, code, shut]) button.type = "button";
  const bar = element("div", "opened-bar");
  bar.append(names, again, answer, code, shut);
  const place = element("div", "opened-card");
  const waiting = element("p", "waiting", "Opening…");
  const more = element("div", "sections");
  root.append(bar, waiting, place, more);
  home.append(root);

  again.addEventListener("click", () => again.dataset.command && command(again.dataset.command, id));
  answer.addEventListener("click", () => copyText(answer, run.details?.answer ?? "", "Copy answer"));
  code.addEventListener("click", () => copyText(code, run.details?.code ?? "", "Copy code"));
  shut.addEventListener("click", close);
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
  });

  let endCard = null;
  let shown = null;

  const showDetails = () => {
    if (!run.details || shown === run.details) return;
    shown = run.details;
    const folded = new Map([...more.querySelectorAll("details")].map((one) => [one.dataset.name, one.open]));
    more.replaceChildren(...sectionsOf(shown));
    for (const one of more.querySelectorAll("details")) one.open = folded.get(one.dataset.name) ?? one.open;
    answer.hidden = !shown.answer;
    code.title = shown.code;
    code.setAttribute("aria-label", `Copy ${shown.code}`);
  };

  const update = () => {
    const row = state.rows.get(id);
    names.textContent = row ? row.cells[state.at.prompt] || row.cells[state.at.title] : id;
    if (run.whole && !endCard) {
      endCard = run.render(place);
      waiting.remove();
    }
    waiting.textContent = state.gone ? "It cannot be opened: the kernel is gone." : "Opening…";
    const [name, word] = row ? actionOf({ key: id, row, kids: null }, state) : ["", ""];
    again.hidden = !word || name.startsWith("cancel") || word === "cancelling…";
    again.textContent = word;
    again.dataset.command = name;
    again.setAttribute("aria-disabled", String(!name));
    for (const button of [answer, code]) button.disabled = !run.details;
    showDetails();
  };

  const view = { update };
  run.views.add(view);
  update();
  if (!state.gone) send(model, "open", id);
  requestAnimationFrame(() => root.scrollIntoView({ block: "nearest", behavior: "auto" }));
  return {
    update,
    end() {
      run.views.delete(view);
      endCard?.();
      root.remove();
    },
  };
}

/* ----------------------------------------------------------- opened: details */

function sectionsOf(details) {
  const { steps, tools, messages } = details;
  return [
    steps.rows.length && section("Steps", steps.rows.length, true, timeline(steps)),
    tools.length && section("Tool calls", tools.length, true, ...tools.map(toolOf)),
    details.traceback && section("Traceback", 0, false, block(details.traceback)),
    messages.length
      ? section("Messages", messages.length + details.left, false, ...leftOf(details.left), ...messages.map(messageOf))
      : details.prompt && section("Prompt", 0, false, block(details.prompt)),
    section("About", 0, false, pairs(details.about), copyLine(details.code)),
  ].filter(Boolean);
}

const leftOf = (left) => (left ? [element("p", "more", `${NUMBER.format(left)} earlier messages are in the store`)] : []);

function section(name, count, open, ...content) {
  const made = element("details", "section");
  made.dataset.name = name;
  made.open = open;
  const head = element("summary", "", name);
  if (count) head.append(element("span", "count", ` ${NUMBER.format(count)}`));
  const body = element("div", "section-body");
  body.append(...content);
  made.append(head, body);
  return made;
}

/** One bar a call on one clock: who worked when, and for how long. */
function timeline({ span_ms: span, rows }) {
  const list = element("ol", "steps");
  for (const row of rows) {
    const item = element("li", "step");
    item.dataset.kind = row.kind;
    item.dataset.status = row.status;
    const track = element("div", "track");
    track.setAttribute("aria-hidden", "true");
    const bar = element("div", "bar");
    bar.style.left = `${(100 * row.at_ms) / span}%`;
    bar.style.width = `${Math.max(0.6, (100 * row.ms) / span)}%`;
    track.append(bar);
    const failed = row.status === "completed" ? "" : `${row.status} · `;
    item.append(element("span", "step-name", `${row.step}  ${row.name}`), track, element("span", "step-note", failed + row.note));
    list.append(item);
  }
  return list;
}

function toolOf(call) {
  const made = element("details", "tool");
  const head = element("summary", "");
  const failed = call.status === "completed" ? "" : ` · ${call.status}`;
  head.append(element("code", "tool-call", call.call), element("span", "tool-note", `${call.took}${failed}`));
  made.dataset.name = `tool ${call.call}`;
  made.append(head, element("p", "label", "Arguments"), block(call.arguments || "{}"));
  if (call.error) made.append(element("p", "label", "Error"), block(call.error));
  if (call.result) made.append(element("p", "label", "Result"), block(call.result));
  return made;
}

function messageOf(message) {
  const made = element("div", "message");
  made.append(element("p", "label", [message.role, message.name].filter(Boolean).join(" · ")));
  if (message.text) made.append(block(message.text));
  for (const call of message.calls) made.append(element("p", "call", `calls ${call}`));
  for (const file of message.files) made.append(element("p", "more", file));
  return made;
}

/** A text as it is, that scrolls in itself and can be scrolled by keyboard, with a button that copies it. */
function block(text) {
  const made = element("div", "block");
  const pre = element("pre", "block-text", text);
  pre.tabIndex = 0;
  const copy = element("button", "button copy", "Copy");
  copy.type = "button";
  copy.addEventListener("click", () => copyText(copy, text));
  made.append(pre, copy);
  return made;
}

function pairs(list) {
  const made = element("dl", "pairs");
  for (const [name, value] of list) made.append(element("dt", "", name), element("dd", "", value));
  return made;
}

function copyLine(code) {
  const made = element("p", "access");
  const copy = element("button", "button copy", "Copy");
  copy.type = "button";
  copy.setAttribute("aria-label", `Copy ${code} from the list`);
  copy.addEventListener("click", () => copyText(copy, code));
  made.append(element("code", "code", code), copy);
  return made;
}

/* ===================================================================== parts */

function element(name, classes = "", text = "") {
  const made = document.createElement(name);
  made.className = classes
    .split(" ")
    .filter(Boolean)
    .map((part) => `nbagent-${part}`)
    .join(" ");
  made.textContent = text;
  return made;
}

function fill(home, text) {
  home.textContent = text ?? "";
  home.hidden = !text;
}

const watched = new WeakSet();

/** A region that scrolls can be reached and scrolled by keyboard; one that does not is no tab stop. */
function reachable(region) {
  if (!watched.has(region)) {
    watched.add(region);
    new ResizeObserver(() => reachable(region)).observe(region); // before it is in the page it has no size
  }
  if (region.scrollHeight > region.clientHeight + 1 || region.scrollWidth > region.clientWidth + 1) region.tabIndex = 0;
  else region.removeAttribute("tabindex");
}

function lines(home, pairs) {
  home.hidden = pairs.length === 0;
  home.replaceChildren(...pairs.map(([kind, text]) => element("p", kind, text)));
}

function duration(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  const minutes = Math.floor(s / 60) % 60;
  const hours = Math.floor(s / 3600);
  return hours ? `${hours} h ${String(minutes).padStart(2, "0")} min` : `${minutes} min ${String(s % 60).padStart(2, "0")} s`;
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

function dollars(value) {
  if (value === 0) return "$0";
  if (value >= 0.1) return `$${value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  return `$${Number(value.toPrecision(2))}`;
}

async function copyText(button, text, word = "Copy") {
  let copied = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copied = false; // no permission, or no secure context
  }
  button.textContent = copied ? "Copied" : "Select it";
  setTimeout(() => (button.textContent = word), 1500);
}

/** Hide the static snapshot of this run as long as a live card stands for it. */
function hideSnapshot(key) {
  const style = document.createElement("style");
  if (/^[\w-]+$/.test(key ?? "")) {
    style.textContent = `.${key}, .jp-OutputArea-child:has(.${key}) { display: none !important; }`;
  }
  document.head.append(style);
  return style;
}
