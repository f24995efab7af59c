"use strict";
// Where everything stands. Both graphs share one layout, so matched operations are at the same height.
// Every block is laid out by itself, and only while it is unfolded.

const SIZE = { width: 204, height: 44, header: 30, padding: 14, gap: 22, rank: 26 };
// Where edges from outside enter a block, and where they leave it.
const ENTRY = "in";
const EXIT = "out";

// Edges by the block that they are drawn in: an edge between two blocks is one edge of what is around both,
// and leads on from the border inside.
const LINKS = new Map();
for (const [source, target, side] of REPORT.graph.edges) {
  const from = [NODES[source], ...ancestors(NODES[source])];
  const to = [NODES[target], ...ancestors(NODES[target])];
  const shared = from.find((item) => item.isGroup && to.includes(item));
  link(shared, from[from.indexOf(shared) - 1].id, to[to.indexOf(shared) - 1].id, side);
  for (let k = from.indexOf(shared) - 1; k > 0; k--) link(from[k], from[k - 1].id, EXIT, side);
  for (let k = to.indexOf(shared) - 1; k > 0; k--) link(to[k], ENTRY, to[k - 1].id, side);
}

function link(group, from, to, side) {
  if (from === to) return;
  const links = LINKS.get(group) || new Map();
  LINKS.set(group, links);
  const key = `${from} ${to}`;
  const known = links.get(key) || { from, to, tf: false, torch: false };
  known.tf = known.tf || side !== "torch";
  known.torch = known.torch || side !== "tf";
  links.set(key, known);
}

// Layouts of unfolded blocks, until something inside is folded or unfolded.
const LAYOUTS = new Map();

function forget(group) {
  for (const item of [group, ...ancestors(group)]) LAYOUTS.delete(item);
}

function layoutOf(group, isOpen) {
  if (!LAYOUTS.has(group)) LAYOUTS.set(group, arrange(group, isOpen));
  return LAYOUTS.get(group);
}

function arrange(group, isOpen) {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: "TB", nodesep: SIZE.gap, ranksep: SIZE.rank, edgesep: 12 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const member of group.members) graph.setNode(member.id, { ...sizeOf(member, isOpen) });
  const links = [...(LINKS.get(group) || new Map()).values()];
  for (const { from, to } of links) {
    if (from === ENTRY) graph.setNode(ENTRY, { width: 1, height: 1 });
    if (to === EXIT) graph.setNode(EXIT, { width: 1, height: 1 });
    graph.setEdge(String(from), String(to));
  }
  dagre.layout(graph);
  return {
    width: graph.graph().width,
    height: graph.graph().height,
    boxes: group.members.map((member) => ({ item: member, ...corner(graph.node(String(member.id))) })),
    entry: graph.hasNode(ENTRY) ? graph.node(ENTRY).x : null,
    exit: graph.hasNode(EXIT) ? graph.node(EXIT).x : null,
    edges: links.map((known) => ({ ...known, points: graph.edge(String(known.from), String(known.to)).points })),
  };
}

function corner({ x, y, width, height }) {
  return { x: x - width / 2, y: y - height / 2, width, height };
}

function sizeOf(item, isOpen) {
  if (!item.isGroup || !isOpen(item)) return { width: SIZE.width, height: SIZE.height };
  const inner = layoutOf(item, isOpen);
  return {
    width: Math.max(SIZE.width, inner.width) + 2 * SIZE.padding,
    height: inner.height + SIZE.header + SIZE.padding,
  };
}

// Everything that is to be drawn, with places on the page: boxes with blocks before what they hold, and edges.
function place(isOpen) {
  const scene = { boxes: [], edges: [], width: 0, height: 0 };
  const whole = layoutOf(ROOT, isOpen);
  scene.width = whole.width;
  scene.height = whole.height;
  placeGroup(ROOT, 0, 0, isOpen, scene);
  return scene;
}

function placeGroup(group, left, top, isOpen, scene) {
  const layout = layoutOf(group, isOpen);
  const inner = new Map();
  const middles = new Map();
  for (const { item, x, y, width, height } of layout.boxes) {
    const box = { item, x: left + x, y: top + y, width, height, open: item.isGroup && isOpen(item) };
    scene.boxes.push(box);
    middles.set(String(item.id), box);
    if (!box.open) continue;
    const held = layoutOf(item, isOpen);
    const start = box.x + SIZE.padding + Math.max(0, (SIZE.width - held.width) / 2);
    inner.set(String(item.id), { entry: start + (held.entry ?? 0), exit: start + (held.exit ?? 0) });
    placeGroup(item, start, box.y + SIZE.header, isOpen, scene);
  }
  for (const edge of layout.edges) {
    const points = edge.points.map(({ x, y }) => [left + x, top + y]);
    const from = inner.get(String(edge.from));
    const to = inner.get(String(edge.to));
    // An edge ends in the middle of a box, or where it goes on inside an unfolded block.
    const [above, below] = [middles.get(String(edge.from)), middles.get(String(edge.to))];
    if (above) points[0] = [from ? from.exit : above.x + above.width / 2, above.y + above.height];
    if (below) points[points.length - 1] = [to ? to.entry : below.x + below.width / 2, below.y];
    const ports = group === ROOT ? null : { top: top - SIZE.header, bottom: top + layout.height + SIZE.padding };
    if (edge.from === ENTRY) points.unshift([points[0][0], ports.top]);
    if (edge.to === EXIT) points.push([points[points.length - 1][0], ports.bottom]);
    scene.edges.push({ tf: edge.tf, torch: edge.torch, points, arrow: edge.to !== EXIT });
  }
}
