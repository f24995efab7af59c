"use strict";
// State, and what changes it: folding and selection. Whatever changes, the same scene is drawn on both sides.

const VISIBLE_AT_FIRST = 60;
const VISIBLE_AT_MOST = 3000;

const unfolded = new Set();
const isOpen = (group) => unfolded.has(group);
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
  const notable = scene.boxes.filter((box) => !box.open && SEVERITY.get(box.item.status) < SEVERITY.get("~"));
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
    level.forEach((group) => unfolded.add(group));
    level = level.flatMap((group) => group.members.filter((item) => item.isGroup));
  }
}

function toggle(group) {
  keepInPlace(group, () => {
    if (unfolded.has(group)) unfolded.delete(group);
    else unfolded.add(group);
    forget(group);
    redraw();
  });
  say(`${titleOf(group, group.sides[0])} ${unfolded.has(group) ? "unfolded" : "folded"}`);
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
  unfolded.clear();
  LAYOUTS.clear();
  redraw();
  if (view.selected) select(visibleOf(view.selected));
}

// Unfolds everything, or as much as browsers take.
function unfoldAll() {
  let visible = ROOT.members.length;
  for (const group of [...GROUPS].sort((a, b) => a.depth - b.depth)) {
    if (!group.up || (group.up !== ROOT && !unfolded.has(group.up))) continue;
    visible += group.members.length;
    if (visible > VISIBLE_AT_MOST) break;
    unfolded.add(group);
  }
  LAYOUTS.clear();
  redraw();
  if (visible > VISIBLE_AT_MOST) say(`Unfolded as far as ${VISIBLE_AT_MOST} boxes allow.`);
  if (view.selected) reveal(view.selected);
}

// The item itself, or the outermost folded block around it.
function visibleOf(item) {
  const folded = ancestors(item).filter((group) => group !== ROOT && !unfolded.has(group));
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
  const folded = ancestors(item).filter((group) => group !== ROOT && !unfolded.has(group));
  if (folded.length) {
    folded.forEach((group) => unfolded.add(group));
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
