// Puts a search and three choices above the ledger's table; without this script the whole table is shown.
// It loads nothing: all that it reads is in the table.

const COLUMNS = { verdict: 3, update: 1 };
const ALL = "all";

/** The text of a cell, without its link's id. */
function textOf(row, column) {
  return row.cells[column].innerText.trim();
}

/** What can be chosen: verdict and update from their cells, topic from the page that the claim is on. */
function factsOf(row) {
  const page = row.cells[0].querySelector("a").getAttribute("href").replace(/\.html.*$/, "");
  return {
    topic: page.replaceAll("-", " "),
    verdict: row.cells[COLUMNS.verdict].querySelector(".badge").innerText.trim(),
    update: textOf(row, COLUMNS.update),
    text: row.innerText.toLowerCase(),
  };
}

/** A labelled list of choices, the values in the order in which they occur. */
function choice(name, values) {
  const label = document.createElement("label");
  const select = document.createElement("select");
  select.name = name;
  select.append(...[ALL, ...new Set(values)].map((value) => new Option(value, value)));
  label.append(`${name[0].toUpperCase()}${name.slice(1)} `, select);
  return label;
}

function searchField() {
  const label = document.createElement("label");
  const input = document.createElement("input");
  Object.assign(input, { type: "search", name: "text", autocomplete: "off" });
  label.append("Search ", input);
  return label;
}

/** Shows the rows that have every chosen value and every word that is searched for. */
function show(rows, form, output) {
  const wanted = new FormData(form);
  const words = wanted.get("text").toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const { row, facts } of rows) {
    const chosen = ["topic", "verdict", "update"].every((name) => [ALL, facts[name]].includes(wanted.get(name)));
    row.hidden = !(chosen && words.every((word) => facts.text.includes(word)));
    shown += row.hidden ? 0 : 1;
  }
  output.textContent = `${shown} of ${rows.length} lines`;
}

function main() {
  const box = document.querySelector(".ledger");
  const rows = [...box.querySelectorAll("tbody tr")].map((row) => ({ row, facts: factsOf(row) }));
  const form = document.createElement("form");
  form.className = "ledger-filter";
  form.setAttribute("role", "search");
  form.setAttribute("aria-label", "The ledger");
  const output = document.createElement("output");
  const choices = ["topic", "verdict", "update"].map((name) => choice(name, rows.map(({ facts }) => facts[name])));
  form.append(searchField(), ...choices, output);
  form.addEventListener("input", () => show(rows, form, output));
  form.addEventListener("submit", (event) => event.preventDefault());
  box.before(form);
  show(rows, form, output);
}

main();
