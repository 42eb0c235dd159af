/* A run opened in the table: its card, as it stands under a launching cell, and its details. Follows table.js.
 *
 * The kernel sends both over the table's own model, with the run's id on each message: {run, card} everything,
 * {run, seq, ...} a change, {run, details} steps, calls and messages. The card does not know: it is given a face of
 * a model. Every text is put in as text; `details.html` alone is markup, which the kernel has sanitised.
 */

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
  answer.addEventListener("click", () => copyAs(answer, run.details?.answer ?? "", "Copy answer"));
  code.addEventListener("click", () => copyAs(code, run.details?.code ?? "", "Copy code"));
  shut.addEventListener("click", close);
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
  });

  let endCard = null;
  let shown = null;
  const prose = element("div", "prose");
  prose.setAttribute("role", "region");
  prose.setAttribute("aria-label", "answer");
  prose.tabIndex = 0;

  const showDetails = () => {
    if (!run.details || shown === run.details) return;
    shown = run.details;
    const folded = new Map([...more.querySelectorAll("details")].map((one) => [one.dataset.name, one.open]));
    more.replaceChildren(...sectionsOf(shown));
    for (const one of more.querySelectorAll("details")) one.open = folded.get(one.dataset.name) ?? one.open;
    place.classList.toggle("nbagent-has-prose", Boolean(shown.html));
    prose.innerHTML = shown.html ?? ""; // sanitised in the kernel, see prose.py
    const text = place.querySelector(".nbagent-answer");
    if (shown.html && text && prose.nextSibling !== text) text.before(prose);
    if (!shown.html) prose.remove();
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

async function copyAs(button, text, word) {
  await copyText(button, text);
  setTimeout(() => (button.textContent = word), 1500);
}

/* ------------------------------------------------------------------- sections */

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
