"use strict";
// State and what changes it: folding, selection, search, filters, keys, theme.

const VISIBLE_AT_FIRST = 60;
const VISIBLE_AT_MOST = 3000;
const MOST_FOUND = 60;
// Space around a graph, and what is still read with ease.
const GUTTER = 20;
const SMALLEST = 0.62;
// Half of a sheet of paper.
const PAPER = 330;

const open = new Set();
const isOpen = (group) => open.has(group);
const view = { zoom: 1, fitted: true, selected: null, hovered: null, hidden: new Set(), everything: false };
let scene = null;
const panes = SIDES.map((side) => new Pane(side, follow));
let active = panes[0];

// --- Drawing -------------------------------------------------------------------------------------

function redraw() {
  scene = place(isOpen);
  if (view.fitted) view.zoom = fitting();
  panes.forEach((pane) => pane.show(scene, view));
  showOverview();
}

let waiting = false;
function follow(source) {
  for (const pane of panes) {
    if (pane === source) continue;
    if (pane.scroller.scrollTop !== source.scroller.scrollTop) pane.scroller.scrollTop = source.scroller.scrollTop;
    if (pane.scroller.scrollLeft !== source.scroller.scrollLeft) pane.scroller.scrollLeft = source.scroller.scrollLeft;
  }
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    panes.forEach((pane) => pane.draw(view));
  });
}

// A strip between the panes: where on the whole way down something differs.
function showOverview() {
  const strip = document.getElementById("overview");
  strip.replaceChildren();
  const taken = new Set();
  const notable = scene.boxes.filter(({ item, open: unfolded }) => !unfolded && SEVERITY.get(item.status) < SEVERITY.get("~"));
  notable.sort((a, b) => SEVERITY.get(a.item.status) - SEVERITY.get(b.item.status));
  for (const box of notable) {
    const percent = Math.round((1000 * (box.y + box.height / 2)) / scene.height) / 10;
    if (taken.has(percent)) continue;
    taken.add(percent);
    const mark = span(`mark ${statusOf(box.item.status).colour}`, "");
    mark.style.top = `${percent}%`;
    mark.dataset.item = box.item.id;
    strip.append(mark);
  }
}

function boxOf(item) {
  return scene.boxes.find((box) => box.item === item);
}

// --- Folding -------------------------------------------------------------------------------------

// Unfolds level by level as long as a level fits on a few screens.
function unfoldAtFirst() {
  let level = ROOT.members.filter((item) => item.isGroup);
  let visible = ROOT.members.length;
  while (level.length) {
    visible += level.reduce((sum, group) => sum + group.members.length - 1, 0);
    if (visible > VISIBLE_AT_FIRST) return;
    level.forEach((group) => open.add(group));
    level = level.flatMap((group) => group.members.filter((item) => item.isGroup));
  }
}

function toggle(group) {
  keepInPlace(group, () => {
    if (open.has(group)) open.delete(group);
    else open.add(group);
    forget(group);
    redraw();
  });
  say(`${titleOf(group, group.sides[0])} ${open.has(group) ? "unfolded" : "folded"}`);
}

// Changes the drawing so that an item stays where it is on the screen.
function keepInPlace(item, change) {
  const before = boxOf(item);
  const offset = before ? before.y * view.zoom - active.scroller.scrollTop : null;
  change();
  const after = boxOf(item);
  if (after && offset !== null) panes.forEach((pane) => (pane.scroller.scrollTop = after.y * view.zoom - offset));
  panes.forEach((pane) => pane.draw(view));
}

function foldAll() {
  open.clear();
  LAYOUTS.clear();
  redraw();
  if (view.selected) select(visibleOf(view.selected));
}

// Unfolds everything, or as much as browsers take.
function unfoldAll() {
  let visible = ROOT.members.length;
  for (const group of [...GROUPS].sort((a, b) => a.depth - b.depth)) {
    if (!group.up || (group.up !== ROOT && !open.has(group.up))) continue;
    visible += group.members.length;
    if (visible > VISIBLE_AT_MOST) break;
    open.add(group);
  }
  LAYOUTS.clear();
  redraw();
  if (visible > VISIBLE_AT_MOST) say(`Unfolded as far as ${VISIBLE_AT_MOST} boxes allow.`);
  if (view.selected) reveal(view.selected);
}

// The item itself, or the outermost folded block around it.
function visibleOf(item) {
  const folded = ancestors(item).filter((group) => group !== ROOT && !open.has(group));
  return folded.length ? folded[folded.length - 1] : item;
}

// --- Selection -----------------------------------------------------------------------------------

function select(item, { focus = true } = {}) {
  view.selected = item;
  showDetails(item);
  if (item === null) {
    panes.forEach((pane) => pane.mark(view));
    return;
  }
  const folded = ancestors(item).filter((group) => group !== ROOT && !open.has(group));
  if (folded.length) {
    folded.forEach((group) => open.add(group));
    folded.forEach(forget);
    redraw();
  }
  reveal(item);
  if (focus) focusOn(item);
}

function reveal(item) {
  const box = boxOf(item);
  if (!box) return;
  const { scroller } = active;
  const [top, bottom] = [box.y * view.zoom, (box.y + Math.min(box.height, 120)) * view.zoom];
  if (top < scroller.scrollTop + 20 || bottom > scroller.scrollTop + scroller.clientHeight - 20) {
    scroller.scrollTop = top - scroller.clientHeight / 3;
  }
  const [left, right] = [box.x * view.zoom, (box.x + Math.min(box.width, SIZE.width)) * view.zoom];
  if (left < scroller.scrollLeft || right > scroller.scrollLeft + scroller.clientWidth) {
    scroller.scrollLeft = (left + right - scroller.clientWidth) / 2;
  }
  panes.forEach((pane) => {
    pane.scroller.scrollTop = scroller.scrollTop;
    pane.scroller.scrollLeft = scroller.scrollLeft;
    pane.draw(view);
  });
}

function focusOn(item) {
  if (!item.sides.includes(active.side)) active = panes.find((pane) => item.sides.includes(pane.side));
  const head = active.canvas.querySelector(`.head[data-item="${item.id}"]`);
  if (head) head.focus({ preventScroll: true });
}

function itemAt(target) {
  const head = target.closest("[data-item]");
  return head ? ITEMS[Number(head.dataset.item)] : null;
}

for (const pane of panes) {
  pane.canvas.addEventListener("click", (event) => {
    active = pane;
    const item = itemAt(event.target);
    if (item && item.isGroup) toggle(item);
    select(item);
  });
  pane.canvas.addEventListener("pointerover", (event) => hover(itemAt(event.target)));
  pane.canvas.addEventListener("pointerleave", () => hover(null));
}
document.getElementById("overview").addEventListener("click", (event) => {
  const item = itemAt(event.target);
  if (item) select(item);
});

function hover(item) {
  if (item === view.hovered) return;
  view.hovered = item;
  panes.forEach((pane) => pane.mark(view));
}

// --- Search and filters ----------------------------------------------------------------------------

const searchField = document.getElementById("search");
const results = document.getElementById("results");

function find(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return [];
  return [...NODES, ...GROUPS].filter((item) => words.every((word) => textOf(item).includes(word)));
}

// Everything that an item can be found by; made when it is first asked for.
function textOf(item) {
  if (item.text === undefined) {
    const paths = item.sides.map((side) => pathOf(item, side));
    item.text = [...paths, ...(item.isGroup ? [item.kind] : nodeTexts(item))].join(" ").toLowerCase();
  }
  return item.text;
}

function nodeTexts(node) {
  const kinds = node.sides.flatMap((side) => [node[side].kind, node[side].operation]);
  const tensors = node.rows.flatMap((row) => REPORT.rows[row].tensors);
  return [...kinds, ...tensors.flatMap(({ tf, torch }) => [...tf, ...torch].map(({ path }) => path))];
}

function showResults() {
  const found = find(searchField.value);
  results.replaceChildren();
  results.hidden = !searchField.value.trim();
  results.append(element("p", "hint", found.length ? `${found.length} found` : "nothing found"));
  const list = element("ul", "");
  fill(list, found.slice(0, MOST_FOUND), (item) => select(item));
  results.append(list);
  return found;
}

searchField.addEventListener("input", showResults);
searchField.addEventListener("keydown", (event) => {
  if (event.key === "Enter") {
    const found = showResults();
    if (found.length) select(found[(found.indexOf(view.selected) + 1) % found.length], { focus: false });
  } else if (event.key === "Escape") {
    searchField.value = "";
    showResults();
    searchField.blur();
  }
});

function showFilters() {
  const counts = ROOT.counts;
  const bar = document.getElementById("filters");
  for (const { symbol, colour, text } of [...STATUSES].reverse()) {
    if (!counts[symbol]) continue;
    const button = element("button", `chip ${colour}`, `${symbol} ${counts[symbol]}`);
    button.type = "button";
    button.title = text;
    button.setAttribute("aria-label", `show ${text}, ${counts[symbol]}`);
    button.setAttribute("aria-pressed", "true");
    button.addEventListener("click", () => filter(symbol, button));
    bar.append(button);
  }
}

function filter(symbol, button) {
  const shown = view.hidden.has(symbol);
  if (shown) view.hidden.delete(symbol);
  else view.hidden.add(symbol);
  button.setAttribute("aria-pressed", String(shown));
  for (const entry of document.querySelectorAll(".finding")) entry.hidden = view.hidden.has(entry.dataset.symbol);
  panes.forEach((pane) => pane.mark(view));
}

// --- Keys ------------------------------------------------------------------------------------------

function move(step) {
  const order = scene.boxes.map((box) => box.item).filter((item) => item.sides.length && !isHidden(item, view.hidden));
  const here = order.indexOf(view.selected);
  const next = here < 0 ? (step > 0 ? 0 : order.length - 1) : here + step;
  if (order[next]) select(order[next]);
}

// The next operation that is more than transformed, also one inside of a folded block.
function moveToDifference(step) {
  const notable = NODES.filter((node) => SEVERITY.get(node.status) < SEVERITY.get("~") && !view.hidden.has(node.status));
  if (!notable.length) return say("Nothing differs.");
  const selected = view.selected;
  const here = selected === null ? -1 : selected.isGroup ? firstNode(selected).id - 1 : selected.id;
  const next = step > 0 ? notable.find((node) => node.id > here) : notable.findLast((node) => node.id < here);
  select(next || notable[step > 0 ? 0 : notable.length - 1]);
}

function firstNode(group) {
  const first = group.members[0];
  return first.isGroup ? firstNode(first) : first;
}

function inwards() {
  const item = view.selected;
  if (!item || !item.isGroup) return;
  if (open.has(item)) select(item.members[0]);
  else toggleSelected();
}

function outwards() {
  const item = view.selected;
  if (!item) return;
  if (item.isGroup && open.has(item)) toggleSelected();
  else if (item.up !== ROOT) select(item.up);
}

function toggleSelected() {
  if (!view.selected || !view.selected.isGroup) return;
  toggle(view.selected);
  select(view.selected);
}

function zoomTo(level) {
  const centre = (active.scroller.scrollTop + active.scroller.clientHeight / 2) / view.zoom;
  view.zoom = Math.max(0.2, Math.min(2, level));
  redraw();
  active.scroller.scrollTop = centre * view.zoom - active.scroller.clientHeight / 2;
  active.scroller.scrollLeft = (scene.width * view.zoom - active.scroller.clientWidth) / 2;
  follow(active);
}

function zoom(factor) {
  view.fitted = false;
  zoomTo(view.zoom * factor);
}

function fit() {
  view.fitted = true;
  zoomTo(view.zoom);
}

// As wide as a pane, but not too small to be read.
function fitting() {
  const room = active.scroller.clientWidth - 2 * GUTTER;
  return Math.max(SMALLEST, Math.min(1, room / scene.width));
}

const help = document.getElementById("help");
const ACTIONS = {
  "fold-all": foldAll,
  "unfold-all": unfoldAll,
  next: () => moveToDifference(1),
  previous: () => moveToDifference(-1),
  "zoom-in": () => zoom(1.25),
  "zoom-out": () => zoom(0.8),
  theme: changeTheme,
  help: () => (help.open ? help.close() : help.showModal()),
};
const KEYS = {
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  ArrowRight: inwards,
  ArrowLeft: outwards,
  Enter: toggleSelected,
  " ": toggleSelected,
  Home: () => select(scene.boxes[0].item),
  End: () => select(scene.boxes[scene.boxes.length - 1].item),
  n: ACTIONS.next,
  p: ACTIONS.previous,
  e: unfoldAll,
  c: foldAll,
  "+": ACTIONS["zoom-in"],
  "-": ACTIONS["zoom-out"],
  0: fit,
  t: changeTheme,
  "?": ACTIONS.help,
  "/": () => searchField.focus(),
  Escape: () => select(null),
};

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, dialog[open]");
  const pressing = event.target.closest("button, summary") && ["Enter", " "].includes(event.key);
  const pressed = KEYS[event.key];
  if (!pressed || typing || pressing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  pressed();
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-action]");
  if (button) ACTIONS[button.dataset.action]();
});

// --- Theme, printing, messages -----------------------------------------------------------------------

function changeTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
}

// On paper there is no scrolling: everything unfolded is drawn, as narrow as half a page.
addEventListener("beforeprint", () => {
  view.before = { zoom: view.zoom, fitted: view.fitted };
  Object.assign(view, { everything: true, fitted: false, zoom: Math.min(1, PAPER / scene.width) });
  redraw();
});
addEventListener("afterprint", () => {
  Object.assign(view, { everything: false, ...view.before });
  redraw();
});
addEventListener("resize", redraw);

function say(text) {
  document.getElementById("messages").textContent = text;
}

// --- Start -------------------------------------------------------------------------------------------

unfoldAtFirst();
scene = place(isOpen);
fit();
showFilters();
showDetails(null);
showFindings(select);
document.documentElement.dataset.ready = "true";
