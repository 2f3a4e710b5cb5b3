"use strict";
const all = (selector, within = document) => Array.from(within.querySelectorAll(selector));

// The filters are hidden where scripts do not run.
for (const element of all(".scripted")) element.hidden = false;

const valueOf = (row, column) => {
  const cell = row.cells[column];
  const text = cell.dataset.value ?? cell.textContent.trim();
  const number = Number(text);
  return text !== "" && !Number.isNaN(number) ? number : text.toLowerCase();
};

const compare = (a, b) => {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b));
};

const sortBy = (table, column) => {
  const heads = all("thead th", table);
  const first = column < 2 ? "ascending" : "descending";
  const other = first === "ascending" ? "descending" : "ascending";
  const order = heads[column].getAttribute("aria-sort") === first ? other : first;
  heads.forEach((head) => head.removeAttribute("aria-sort"));
  heads[column].setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  for (const body of table.tBodies) { // controls stay apart
    const rows = Array.from(body.rows);
    rows.sort((a, b) => sign * compare(valueOf(a, column), valueOf(b, column)));
    body.append(...rows);
  }
};

for (const table of all("table.sortable")) {
  all("thead th", table).forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sortBy(table, column));
    head.append(button);
  });
}

const field = (id) => document.getElementById(id);
const suites = all(".suite");
const chosen = field("filter-suite"); // not there where the page has one suite

const filterMappers = (suite, mapper, withControls) => {
  const controls = new Set(all(".card[data-control=yes]", suite).map((card) => card.dataset.mapper));
  for (const element of all("[data-mapper]", suite)) {
    const name = element.dataset.mapper;
    element.hidden = !name.toLowerCase().includes(mapper) || (!withControls && controls.has(name));
  }
};

const filter = () => {
  const mapper = field("filter-mapper").value.trim().toLowerCase();
  const words = field("filter-cell").value.trim().toLowerCase().split(/\s+/);
  const withControls = field("filter-controls").checked;
  const withUnsteerable = field("filter-unsteerable").checked;
  for (const suite of suites) {
    suite.hidden = Boolean(chosen?.value) && chosen.value !== suite.dataset.suite;
    filterMappers(suite, mapper, withControls);
  }
  const cells = all(".suite:not([hidden]) .experiment");
  for (const cell of cells) {
    const text = cell.dataset.text.toLowerCase().replaceAll("_", " ");
    const wanted = words.every((word) => text.includes(word.replaceAll("_", " ")));
    cell.hidden = !wanted || (!withUnsteerable && cell.dataset.steerable === "no");
  }
  const cards = all(".suite:not([hidden]) .card");
  const visible = (elements) => elements.filter((element) => !element.hidden).length;
  field("filtered").textContent = `${visible(cards)} of ${cards.length} mappers, ${visible(cells)} of ${cells.length} experiments`;
};

const form = document.querySelector(".filters");
form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
filter();

// A link into a suite that is hidden shows the suite, and a link to a card opens it.
const open = () => {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  const suite = target.closest(".suite");
  if (suite?.hidden) {
    chosen.value = suite.dataset.suite;
    filter();
    target.scrollIntoView();
  }
  if (target instanceof HTMLDetailsElement) target.open = true;
};
window.addEventListener("hashchange", open);
open();
