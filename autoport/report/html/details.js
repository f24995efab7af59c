"use strict";
// The column at the side: what is selected, and the list of what was found. Text is only ever set as text.

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children.filter((child) => child !== null));
  return made;
}

function showDetails(item) {
  const place = document.getElementById("details");
  place.replaceChildren(...(item === null ? hint() : item.isGroup ? groupDetails(item) : nodeDetails(item)));
  place.scrollTop = 0;
}

function hint() {
  return [element("p", "hint", "Select an operation or a block to see its shapes, weights and what differs. Press ? for the keys.")];
}

function heading(item) {
  const status = item.status === null ? NEUTRAL : statusOf(item.status);
  const badge = span(`chip ${status.colour}`, `${status.symbol || "\u00b7"} ${status.text}`);
  return element("div", "heading", badge);
}

function sides(item, extra) {
  const list = element("dl", "sides");
  for (const side of SIDES) {
    const present = item.sides.includes(side);
    const value = element("dd", "", span("path", present ? pathOf(item, side) : "nothing"));
    if (present) value.append(" ", span("kind", extra(side)));
    list.append(element("dt", "", FRAMEWORKS[side]), value);
  }
  return list;
}

function groupDetails(group) {
  const counts = STATUSES.filter(({ symbol }) => group.counts[symbol]);
  const list = element("ul", "counts");
  for (const { symbol, colour, text } of counts) {
    list.append(element("li", "", span(`chip ${colour}`, symbol), ` ${group.counts[symbol]} ${text}`));
  }
  return [heading(group), sides(group, () => `${group.kind || "block"} of ${group.count}`), list, ...errorPart(group.error)];
}

function nodeDetails(node) {
  const shape = (side) => `${node[side].kind}, ${node[side].operation} \u2192 (${node[side].shape.join(", ")})`;
  const rows = node.rows.map((row) => REPORT.rows[row]);
  return [heading(node), sides(node, shape), ...errorPart(node.error), ...rows.flatMap(rowDetails)];
}

function errorPart(error) {
  if (error === undefined) return [];
  const limit = REPORT.verification.rtol;
  const verdict = error <= limit ? "rounding" : "more than rounding";
  const size = `relative error ${error.toExponential(1)} (${verdict})`;
  const text = error === 0 ? "no difference" : Number.isFinite(error) ? size : "the shapes differ";
  return [section("Measured in float64", element("p", "", text))];
}

function section(title, ...children) {
  return element("section", "", element("h3", "", title), ...children);
}

function rowDetails(row) {
  const parts = [];
  const [spelled, differing] = [row.differences.filter(isSpelling), row.differences.filter((d) => !isSpelling(d))];
  if (differing.length) parts.push(section("What differs", differenceTable(differing)));
  if (spelled.length) parts.push(section("Spelled differently, proved equal", differenceTable(spelled)));
  if (row.causes.length) parts.push(section("Cause", causeList(row.causes)));
  if (row.advice.length) parts.push(section("How to mend it", textList(row.advice)));
  if (row.tensors.length) parts.push(section("Weights", ...row.tensors.map(tensorPart)));
  if (row.reason) parts.push(section("Reason", element("p", "", row.reason)));
  return parts;
}

function isSpelling({ status }) {
  return status === "spelling";
}

function differenceTable(differences) {
  const table = element("table", "", tableRow("th", ["", FRAMEWORKS.tf, FRAMEWORKS.torch]));
  for (const { name, tf, torch, training_only: training } of differences) {
    table.append(tableRow("td", [training ? `${name} (training only)` : name, tf.value, torch.value]));
  }
  return table;
}

function tableRow(tag, texts) {
  const cells = texts.map((text) => element(tag, "", text));
  if (tag === "th") cells.forEach((cell) => cell.setAttribute("scope", "col"));
  return element("tr", "", ...cells);
}

function causeList(causes) {
  const texts = causes.map(({ name, tf, torch, evidence, confirmed }) => {
    const values = tf || torch ? `: ${tf || "nothing"} in Keras, ${torch || "nothing"} in PyTorch` : "";
    return `${name}${values}. ${confirmed ? "Confirmed" : "Not confirmed"}${evidence ? `: ${evidence}` : ""}`;
  });
  return textList(texts);
}

function textList(texts) {
  return element("ul", "", ...texts.map((text) => element("li", "", text)));
}

function tensorPart(tensor) {
  const status = statusOf(tensor.status);
  const stored = (side) =>
    tensor[side].map(({ path, shape, dtype }) => element("div", "stored", span("path", path), ` (${shape.join(", ")}) ${dtype}`));
  return element(
    "div",
    "tensor",
    element("div", "", span(`chip ${status.colour}`, status.symbol), " ", span("role", tensor.roles.join(", "))),
    ...stored("tf"),
    tensor.expression ? element("code", "", tensor.expression) : null,
    ...stored("torch"),
  );
}

// Findings: rows that say the same are one entry, which lists their places.
function findings() {
  const found = new Map();
  NODES.forEach((node) => {
    for (const row of node.rows.map((number) => REPORT.rows[number])) {
      for (const { symbol, text } of headlines(row)) {
        const key = `${symbol} ${text}`;
        if (!found.has(key)) found.set(key, { symbol, text, nodes: new Set() });
        found.get(key).nodes.add(node);
      }
    }
  });
  return [...found.values()].sort((a, b) => SEVERITY.get(a.symbol) - SEVERITY.get(b.symbol) || b.nodes.size - a.nodes.size);
}

function headlines(row) {
  if (["-", "+", "?"].includes(row.status)) return [{ symbol: row.status, text: `${statusOf(row.status).text}: ${row.reason}` }];
  const shown = row.differences.filter(({ status }) => status === "differs");
  const told = shown.map(({ name, tf, torch }) => ({ symbol: "!", text: `${name}: ${tf.value} | ${torch.value}` }));
  const named = new Set(shown.map(({ name }) => name));
  const causes = row.causes.filter(({ name }) => !named.has(name));
  told.push(...causes.map(({ name, tf, torch }) => ({ symbol: "!", text: tf || torch ? `${name}: ${tf} | ${torch}` : name })));
  if (row.status === "!" && !told.length) told.push({ symbol: "!", text: "the two compute different things" });
  const spelled = row.differences.filter(isSpelling);
  told.push(...spelled.map(({ name, tf, torch }) => ({ symbol: "=", text: `spelled differently, proved equal: ${name}: ${tf.value} | ${torch.value}` })));
  const moved = row.tensors.filter((tensor) => tensor.status === "~");
  return told.concat(moved.map((tensor) => ({ symbol: "~", text: transform(tensor) })));
}

// A transform without the paths in it, so that equal ones are one entry.
function transform({ roles, expression }) {
  if (expression.includes("absorbed by")) return `${roles.join(", ")}: absorbed by a normalisation`;
  if (/ - \S+ -> /.test(expression)) return `${roles.join(", ")}: less an absorbed bias`;
  return `${roles.join(", ")}: ${expression}`;
}

function showFindings(select) {
  const list = document.getElementById("findings");
  for (const { symbol, text, nodes } of findings()) {
    const places = element("ul", "");
    const chip = span(`chip ${statusOf(symbol).colour}`, symbol);
    const summary = element("summary", "", chip, span("said", text), span("number", `${nodes.size}`));
    const entry = element("details", "finding", summary, places);
    entry.dataset.symbol = symbol;
    entry.addEventListener("toggle", () => places.childElementCount || fill(places, [...nodes], select));
    list.append(entry);
  }
  if (!list.childElementCount) list.append(element("p", "hint", "Nothing differs."));
}

function fill(list, nodes, select) {
  for (const node of nodes) {
    const paths = SIDES.filter((side) => node[side]).map((side) => pathOf(node, side));
    const button = element("button", "place", paths.join(" | "));
    button.type = "button";
    button.addEventListener("click", () => select(node));
    list.append(element("li", "", button));
  }
}
