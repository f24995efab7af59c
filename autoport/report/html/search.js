"use strict";
// Search, and filters by status.

const MOST_FOUND = 60;

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
searchField.addEventListener("focus", showResults);
document.addEventListener("pointerdown", (event) => {
  if (!event.target.closest(".searching")) results.hidden = true;
});
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
