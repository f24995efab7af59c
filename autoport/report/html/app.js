"use strict";
// Keys, buttons, size, theme and paper; and the start of everything.

// Space around a graph, and what is still read with ease.
const GUTTER = 20;
const SMALLEST = 0.62;
// Half of a sheet of paper.
const PAPER = 330;

// --- Keys ----------------------------------------------------------------------------------------

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
  if (unfolded.has(item)) select(item.members[0]);
  else toggleSelected();
}

function outwards() {
  const item = view.selected;
  if (!item) return;
  if (item.isGroup && unfolded.has(item)) toggleSelected();
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

// --- Theme, printing, messages -------------------------------------------------------------------

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

// --- Start ---------------------------------------------------------------------------------------

unfoldAtFirst();
scene = place(isOpen);
fit();
showFilters();
showDetails(null);
showFindings(select);
document.documentElement.dataset.ready = "true";
