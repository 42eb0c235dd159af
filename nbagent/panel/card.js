/* The run card. One instance of the function below serves one run: a widget model, or a run opened in the table,
 * and all its views.
 *
 * State comes as the trait `card` ({seq, now_ms, row, text}), changes as custom messages ({seq, now_ms, row?,
 * append}). Who misses a number asks for the whole. Everything a model or a person wrote goes into the page as
 * text, never as markup.
 */

const ACK_MS = 1500; // then the control channel counts as closed
const ASK_AGAIN_MS = 1000; // between two requests for the whole
const HONOUR_MS = 3000; // then the button says that it waits for the kernel
const NEAR_BOTTOM_PX = 32;

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
    const which = { tool_call_id: call.tool_call_id, step: call.step };
    if ((await send(model, command, state.row.run_id, which)) === "none") state.decided.set(key, "gone");
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

/* ------------------------------------------------------------------ commands */

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

/* ---------------------------------------------------------------------- view */

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
  const answer = element("div", "answer");
  answer.append(text);
  const raw = element("details", "raw");
  raw.append(element("summary", "", "raw answer"));
  const table = element("div", "table");
  const waiting = element("p", "waiting");
  const approvals = element("div", "approvals");
  const activity = element("div", "activity");
  const error = element("div", "error");
  const members = element("ul", "members");
  members.setAttribute("aria-label", "members");
  const body = element("div", "body");
  body.append(members, waiting, approvals, table, answer, raw, activity, error);

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
    answer.hidden = !state.text;
    if (sticks && !state.row.final) answer.scrollTop = answer.scrollHeight;
    // a region that scrolls can be reached and scrolled by keyboard; one that does not is no tab stop
    if (answer.scrollHeight > answer.clientHeight + 1) answer.tabIndex = 0;
    else answer.removeAttribute("tabindex");
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
    drawTable(table, row);
    // the text of a structured answer is folded away once its table stands there
    const home = row.table ? raw : body;
    if (answer.parentNode !== home) row.table ? raw.append(answer) : body.insertBefore(answer, raw);
    raw.hidden = !row.table;
    answer.setAttribute("role", "region");
    answer.setAttribute("aria-label", "answer");
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

const keyOf = (call) => `${call.step}:${call.tool_call_id}`;

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
        button.setAttribute("aria-label", `${word} ${call.call}`);
        button.setAttribute("aria-disabled", String(said !== undefined));
        button.addEventListener("click", () => onDecide(call, command));
        return button;
      });
      const heard = { approve: "approving…", deny: "denying…", gone: "kernel is gone" }[said] ?? "";
      const choice = element("div", "choice");
      choice.append(...buttons, element("span", "said", heard));
      const approval = element("div", "approval");
      approval.append(element("code", "asked", call.call), choice);
      return approval;
    }),
  );
}

function drawTable(home, row) {
  home.replaceChildren();
  home.hidden = !row.table;
  if (!row.table) return;
  const { columns, numeric, cells } = row.table;
  const cell = (name, value, at) => element(name, numeric[at] ? "number" : "", value);
  const head = element("tr");
  head.append(
    ...columns.map((name, at) => {
      const th = cell("th", name, at);
      th.scope = "col";
      return th;
    }),
  );
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
  home.append(table);
  home.tabIndex = 0;
  home.setAttribute("role", "region");
  home.setAttribute("aria-label", "structured answer");
  if (row.more) home.append(element("p", "more", row.more));
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

/* ---------------------------------------------------------------- small parts */

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

async function copyText(button, text) {
  let copied = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copied = false; // no permission, or no secure context
  }
  button.textContent = copied ? "Copied" : "Select it";
  setTimeout(() => (button.textContent = "Copy"), 1500);
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
