"use strict";
// The two panes: boxes and edges of what is in view, scrolled together.

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = 400;

class Pane {
  constructor(side, onScroll) {
    this.side = side;
    this.scroller = document.querySelector(`.scroller[data-side="${side}"]`);
    this.canvas = this.scroller.querySelector(".canvas");
    this.lines = this.scroller.querySelector(".edges");
    this.drawn = new Map();
    this.scroller.addEventListener("scroll", () => onScroll(this), { passive: true });
  }

  // Takes a new scene: everything is drawn anew, as far as it is in view.
  show(scene, view) {
    this.scene = scene;
    this.clear();
    this.canvas.style.width = `${scene.width * view.zoom}px`;
    this.canvas.style.height = `${scene.height * view.zoom}px`;
    this.draw(view);
  }

  clear() {
    for (const element of this.drawn.values()) element.remove();
    this.drawn.clear();
  }

  draw(view) {
    const top = this.scroller.scrollTop / view.zoom - MARGIN;
    const bottom = (this.scroller.scrollTop + this.scroller.clientHeight) / view.zoom + MARGIN;
    const inView = (from, to) => view.everything || (to >= top && from <= bottom);
    const wanted = new Map();
    for (const box of this.scene.boxes) {
      if (inView(box.y, box.y + box.height)) wanted.set(box, () => this.boxElement(box, view));
    }
    for (const edge of this.scene.edges) {
      const ends = [edge.points[0][1], edge.points[edge.points.length - 1][1]];
      if (edge[this.side] && inView(Math.min(...ends), Math.max(...ends))) wanted.set(edge, () => this.edgeElement(edge, view));
    }
    for (const [key, element] of this.drawn) {
      if (!wanted.has(key)) {
        element.remove();
        this.drawn.delete(key);
      }
    }
    for (const [key, make] of wanted) {
      if (!this.drawn.has(key)) {
        const element = make();
        (element instanceof SVGElement ? this.lines : this.canvas).append(element);
        this.drawn.set(key, element);
      }
    }
    this.mark(view);
  }

  // Selection, hovering, filters: classes of what is drawn already.
  mark(view) {
    for (const [key, element] of this.drawn) {
      if (!key.item) continue;
      const chosen = key.item === view.selected;
      const head = element.firstElementChild || element;
      element.classList.toggle("selected", chosen);
      element.classList.toggle("hovered", key.item === view.hovered);
      element.classList.toggle("dimmed", isHidden(key.item, view.hidden));
      if (!head.hasAttribute("role")) continue;
      head.setAttribute("aria-selected", String(chosen));
      head.tabIndex = chosen || (!view.selected && key === this.scene.boxes[0]) ? 0 : -1;
    }
  }

  boxElement(box, view) {
    const { item } = box;
    const outer = document.createElement("div");
    outer.className = box.open ? "frame" : "slot";
    placeAt(outer, box, view.zoom);
    if (!item.sides.includes(this.side)) {
      if (item.status !== null) outer.classList.add("gap");
      return outer;
    }
    outer.classList.add(item.status === null ? NEUTRAL.colour : statusOf(item.status).colour);
    outer.append(this.headElement(box));
    return outer;
  }

  headElement(box) {
    const { item } = box;
    const head = document.createElement("div");
    head.className = `head${item.isGroup ? " group" : ""}`;
    head.dataset.item = item.id;
    head.setAttribute("role", "treeitem");
    head.setAttribute("aria-level", String(ancestors(item).length));
    head.setAttribute("aria-label", describe(item, this.side));
    head.title = pathOf(item, this.side);
    if (item.isGroup) head.setAttribute("aria-expanded", String(box.open));
    head.append(
      span("badge", item.isGroup ? (box.open ? "\u25be" : "\u25b8") : statusOf(item.status).symbol || "\u00b7"),
      titleElement(box, this.side),
    );
    if (!box.open) heat(head, item);
    return head;
  }

  edgeElement(edge, view) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", curve(edge.points.map(([x, y]) => [x * view.zoom, y * view.zoom])));
    if (edge.arrow) path.setAttribute("marker-end", `url(#arrow-${this.side})`);
    return path;
  }
}

function placeAt(element, box, zoom) {
  element.style.transform = `translate(${box.x * zoom}px, ${box.y * zoom}px) scale(${zoom})`;
  element.style.width = `${box.width}px`;
  element.style.height = `${box.height}px`;
}

function span(className, text) {
  const element = document.createElement("span");
  element.className = className;
  element.textContent = text;
  return element;
}

function titleElement({ item, open }, side) {
  const second = span("second", "");
  second.append(span("kind", kindOf(item, side)), ...(item.isGroup && !open ? tally(item) : []));
  const title = span(open ? "title one" : "title", "");
  title.append(span("name", titleOf(item, side)), second);
  return title;
}

// How many nodes of a folded block differ, by status; where none does, how many are transformed.
function tally(group) {
  const present = STATUSES.filter(({ symbol }) => symbol !== "=" && group.counts[symbol]);
  const worse = present.filter(({ symbol }) => symbol !== "~");
  return (worse.length ? worse : present).map(({ symbol, colour }) => span(`count ${colour}`, `${symbol}${group.counts[symbol]}`));
}

// The error that verification measured, if it is more than rounding: as a colour and as a number.
function heat(head, item) {
  if (item.error === undefined || item.error <= REPORT.verification.rtol) return;
  const exponent = Math.log10(Math.min(item.error, 1));
  const level = Math.max(0, Math.min(9, Math.round(((exponent + 10) / 10) * 9)));
  head.querySelector(".second").append(span("error", shortError(item.error)));
  head.append(span(`heat heat-${level}`, ""));
}

function shortError(error) {
  return Number.isFinite(error) ? error.toExponential(0) : "shape";
}

function isHidden(item, hidden) {
  if (!hidden.size) return false;
  const symbols = item.isGroup ? Object.keys(item.counts) : [item.status || "="];
  return symbols.every((symbol) => hidden.has(symbol));
}

// A smooth line through points from top to bottom.
function curve(points) {
  let path = `M${points[0].join(",")}`;
  for (let k = 1; k < points.length; k++) {
    const [[x0, y0], [x1, y1]] = [points[k - 1], points[k]];
    const middle = (y0 + y1) / 2;
    path += x0 === x1 ? `L${x1},${y1}` : `C${x0},${middle} ${x1},${middle} ${x1},${y1}`;
  }
  return path;
}

function describe(item, side) {
  const status = item.status === null ? NEUTRAL : statusOf(item.status);
  const parts = [titleOf(item, side), kindOf(item, side), status.text];
  const other = side === "tf" ? "torch" : "tf";
  if (!item.isGroup && item[other]) parts.push(`${FRAMEWORKS[other]}: ${pathOf(item, other)}`);
  if (item.error !== undefined) parts.push(`relative error ${shortError(item.error)}`);
  return parts.join(", ");
}
