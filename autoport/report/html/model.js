"use strict";
// What the report says, read from the page: nodes, blocks, rows and edges, and how blocks sum up.

const REPORT = JSON.parse(document.getElementById("report").textContent);
const SIDES = ["tf", "torch"];
const FRAMEWORKS = { tf: "Keras", torch: "PyTorch" };

// The worst first; `symbol` and `colour` (a class of the style sheet) always go together.
const STATUSES = [
  { symbol: "?", colour: "ambiguous", text: "ambiguous" },
  { symbol: "-", colour: "only-tf", text: "only in Keras" },
  { symbol: "+", colour: "only-torch", text: "only in PyTorch" },
  { symbol: "!", colour: "differs", text: "matched, but differs" },
  { symbol: "~", colour: "transformed", text: "matched, transformed" },
  { symbol: "=", colour: "same", text: "matched, the same" },
];
const SEVERITY = new Map(STATUSES.map((status, place) => [status.symbol, place]));
const NEUTRAL = { symbol: "", colour: "neutral", text: "not compared by itself" };

function statusOf(symbol) {
  return STATUSES[SEVERITY.get(symbol)] || NEUTRAL;
}

function worst(symbols) {
  return symbols.reduce((best, symbol) => {
    if (symbol === null) return best;
    return best === null || SEVERITY.get(symbol) < SEVERITY.get(best) ? symbol : best;
  }, null);
}

// Items are what is drawn: nodes and blocks. Blocks stand behind the nodes in one list, the root last.
const NODES = REPORT.graph.nodes.map((node, id) => ({
  ...node,
  id,
  isGroup: false,
  sides: SIDES.filter((side) => node[side]),
  error: errorOf(node.rows),
}));
const GROUPS = REPORT.graph.groups.map((group, place) => ({ ...group, id: NODES.length + place, isGroup: true, members: [] }));
const ROOT = { id: NODES.length + GROUPS.length, isGroup: true, members: [], parent: null, name: "" };
const ITEMS = [...NODES, ...GROUPS, ROOT];

// The largest error of some rows: undefined where none was measured, Infinity where shapes do not fit.
function errorOf(rows) {
  const errors = rows.map((row) => REPORT.rows[row].error).filter((error) => error !== null);
  if (!errors.length) return undefined;
  return Math.max(...errors.map((error) => (error.relative === null ? Infinity : error.relative)));
}

function buildTree() {
  for (const node of NODES) node.up = node.group === null ? ROOT : GROUPS[node.group];
  for (const group of GROUPS) group.up = group.parent === null ? ROOT : GROUPS[group.parent];
  ROOT.up = null;
  // A block stands where its first node stands.
  const placed = new Set();
  for (const node of NODES) {
    for (let item = node; item.up && !placed.has(item); item = item.up) {
      placed.add(item);
      item.up.members.push(item);
    }
  }
  for (const group of [...GROUPS, ROOT]) {
    group.depth = ancestors(group).length;
  }
  [...GROUPS].reverse().concat(ROOT).forEach(sumUp);
}

function sumUp(group) {
  group.count = 0;
  group.counts = {};
  group.error = undefined;
  for (const member of group.members) {
    const counts = member.isGroup ? member.counts : member.status === null ? {} : { [member.status]: 1 };
    group.count += member.isGroup ? member.count : 1;
    for (const [symbol, number] of Object.entries(counts)) group.counts[symbol] = (group.counts[symbol] || 0) + number;
    if (member.error !== undefined && !(group.error >= member.error)) group.error = member.error;
  }
  group.status = worst(Object.keys(group.counts));
  group.sides = SIDES.filter((side) => group.members.some((member) => member.sides.includes(side)));
}

// From an item's block outwards, the root included.
function ancestors(item) {
  const found = [];
  for (let up = item.up; up; up = up.up) found.push(up);
  return found;
}

const SEPARATORS = { tf: "/", torch: "." };

// What an item is called on one side. A number alone says too little: it goes with the name in front.
function titleOf(item, side) {
  const path = item.isGroup ? item[side] : item[side].path;
  const outer = item.up && item.up[side];
  if (item.isGroup && (!path || path === outer)) return item.name;
  if (!item.isGroup && (!path || (item.up !== ROOT && path === outer))) return item[side].operation;
  const parts = path.split(SEPARATORS[side]);
  const start = item.isGroup && outer && path.startsWith(outer + SEPARATORS[side]) ? outer.split(SEPARATORS[side]).length : 0;
  const short = item.isGroup ? parts.slice(start) : parts.slice(-1);
  const named = /^\d/.test(short[0]) && parts.length > short.length;
  return (named ? parts.slice(-short.length - 1) : short).join(SEPARATORS[side]);
}

function kindOf(item, side) {
  if (!item.isGroup) return item[side].kind;
  const count = `${item.count} ${item.count === 1 ? "operation" : "operations"}`;
  return side === "torch" && item.kind ? `${item.kind} \u00b7 ${item.count}` : count;
}

function pathOf(item, side) {
  if (!item.sides.includes(side)) return "";
  return item.isGroup ? item[side] || item.name : item[side].path || item[side].name;
}

buildTree();
