"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const narrow = window.matchMedia("(max-width: 45rem)");

// ---- plots

function dressed(layout) {
  const css = getComputedStyle(document.documentElement);
  const [text, line] = ["--text", "--line"].map((name) => css.getPropertyValue(name).trim());
  const made = { ...layout, template: null, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)" };
  const size = narrow.matches ? 12 : 14;
  made.font = { family: "system-ui, sans-serif", size, color: text };
  made.margin = narrow.matches ? { l: 56, r: 8, t: 16, b: 56 } : { l: 76, r: 16, t: 24, b: 64 };
  made.hoverlabel = { bgcolor: css.getPropertyValue("--card").trim(), font: { color: text }, bordercolor: line };
  made.legend = { orientation: "h", yanchor: "bottom", y: 1.02, x: 0 };
  for (const name of Object.keys(layout).filter((key) => /^[xy]axis/.test(key)))
    made[name] = { ...layout[name], gridcolor: line, linecolor: line, zerolinecolor: line, automargin: true };
  const kind = (layout.meta || {}).kind;
  if (kind === "each") made.height = 120 + 260 * layout.meta.rows;
  else made.height = narrow.matches ? 380 : 480;
  if (kind === "parallel") made.margin = { l: 70, r: 70, t: 60, b: 30 };
  made.modebar = { bgcolor: "rgba(0,0,0,0)", color: css.getPropertyValue("--quiet").trim(), activecolor: text };
  return made;
}

// The palette's darker colours, lighter where the page is dark; scales that leave out what the page's colour swallows.
const LIGHTER = { "#0072B2": "#4BA6E0", "#D55E00": "#F58A4B", "#009E73": "#3CC79C", "#CC79A7": "#E3A3C6" };
const SCALES = {
  dark: [[0, "#7A6BD1"], [0.5, "#35B7A0"], [1, "#FDE725"]],
  light: [[0, "#440154"], [0.5, "#21918C"], [1, "#C8A800"]],
};

function dressedTrace(trace) {
  const text = getComputedStyle(document.documentElement).getPropertyValue("--text").trim();
  if (trace.type === "parcoords") {
    const line = { ...trace.line, colorscale: dark.matches ? SCALES.dark : SCALES.light };
    const invisible = { color: "rgba(0,0,0,0)" };
    return { ...trace, line, labelfont: { color: text, size: 13 }, tickfont: { color: text }, rangefont: invisible };
  }
  if (trace.type === "heatmap" && narrow.matches)
    return { ...trace, colorbar: undefined, showscale: false, textfont: { size: 9 } };
  const made = structuredClone(trace);
  for (const part of [made.marker, made.line, (made.marker || {}).line])
    if (dark.matches && part && LIGHTER[part.color]) part.color = LIGHTER[part.color];
  return made;
}

function draw() {
  const chosen = byId("metric").value;
  byId("plots").replaceChildren();
  const figures = data.plots[chosen] || [];
  if (!figures.length) byId("plots").textContent = "No run that went through has measured this.";
  for (const figure of figures) {
    const place = document.createElement("div");
    place.className = "plot " + ((figure.layout.meta || {}).kind || "");
    byId("plots").append(place);
    setTimeout(() => plot(place, figure)); // one after another: the page stays alive between them
  }
}

function drawSearch() {
  for (const place of document.querySelectorAll("[data-search]"))
    setTimeout(() => plot(place, data.search[place.dataset.search].figure));
}

function plot(place, figure) {
  if (!place.isConnected) return; // another metric was chosen meanwhile
  const options = { responsive: true, displaylogo: false, displayModeBar: narrow.matches ? false : "hover" };
  Plotly.newPlot(place, figure.data.map(dressedTrace), dressed(figure.layout), options);
  place.on("plotly_click", (event) => openRuns(event.points[0].customdata));
  place.on("plotly_restyle", () => brush(place));
}

function openRuns(rows) {
  if (rows === undefined) return; // a point of the search's plots
  rows = [].concat(rows);
  const page = rows.length === 1 && data.table.pages[rows[0]];
  if (page) window.open(encodeURI(page), "_blank", "noopener");
  else { choose(rows); byId("runs").scrollIntoView({ behavior: "smooth" }); }
}

function brush(place) {
  const trace = place.data.find((each) => each.type === "parcoords");
  if (!trace) return;
  const inside = (dimension, row) => {
    const ranges = dimension.constraintrange;
    if (!ranges || !ranges.length) return true;
    const value = dimension.values[row];
    return (Array.isArray(ranges[0]) ? ranges : [ranges]).some(([low, high]) => low <= value && value <= high);
  };
  const kept = trace.customdata.filter((_, row) => trace.dimensions.every((dimension) => inside(dimension, row)));
  choose(kept.length === trace.customdata.length ? null : kept);
}

// ---- table

const { columns, rows, pages, runs } = data.table;
const STEP = 100;
let chosenRows = null, sorted = { column: -1, down: false }, shown = STEP;
const words = rows.map((row, index) => [runs[index], ...row].join(" ").toLowerCase());

function choose(indices) { chosenRows = indices && new Set(indices); shown = STEP; fill(); }

function order() {
  const wanted = byId("find").value.trim().toLowerCase();
  const kept = [...rows.keys()].filter((row) => (!chosenRows || chosenRows.has(row)) && words[row].includes(wanted));
  const at = sorted.column;
  if (at < 0) return kept;
  const sign = sorted.down ? -1 : 1;
  return kept.sort((a, b) => {
    const [x, y] = [rows[a][at], rows[b][at]];
    if (x === null || y === null) return (x === null) - (y === null); // what is missing comes last either way
    return sign * (columns[at].number ? x - y : String(x).localeCompare(String(y)));
  });
}

function cell(column, value) {
  const td = document.createElement("td");
  if (value === null || value === "") return td;
  if (column.number && typeof value === "number") {
    td.className = "number";
    td.textContent = column.places != null ? value.toFixed(column.places) : String(+value.toPrecision(5));
    td.title = value;
  } else if (column.name === "status" || column.name === "claims") {
    const badge = document.createElement("span");
    badge.className = "badge " + (["ok", "failed"].includes(value) ? value : "other");
    badge.textContent = value;
    td.append(badge);
  } else {
    td.className = "long";
    td.textContent = td.title = value;
  }
  return td;
}

function fill() {
  const kept = order();
  const body = byId("table").tBodies[0];
  body.replaceChildren(...kept.slice(0, shown).map((row) => {
    const tr = document.createElement("tr");
    const first = document.createElement("td");
    if (pages[row]) {
      const link = document.createElement("a");
      link.href = encodeURI(pages[row]);
      link.textContent = "open";
      link.title = runs[row];
      first.append(link);
    }
    tr.append(first, ...columns.map((column, at) => cell(column, rows[row][at])));
    return tr;
  }));
  const few = Math.min(shown, kept.length);
  byId("count").textContent = `${few} of ${kept.length} run${kept.length === 1 ? "" : "s"}` +
    (kept.length < rows.length ? ` chosen from ${rows.length}` : "");
  byId("more").hidden = few === kept.length;
  byId("all").hidden = !chosenRows;
}

function head() {
  const tr = document.createElement("tr");
  const first = document.createElement("th");
  first.scope = "col";
  first.textContent = "run";
  tr.append(first, ...columns.map((column, at) => {
    const th = document.createElement("th");
    th.scope = "col";
    if (column.number) th.className = "number";
    const button = document.createElement("button");
    button.textContent = column.name;
    button.onclick = () => {
      sorted = { column: at, down: sorted.column === at && !sorted.down };
      for (const other of tr.children) other.removeAttribute("aria-sort");
      th.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
      for (const other of tr.querySelectorAll("button")) other.textContent = other.textContent.replace(/ [▲▼]$/, "");
      button.textContent += sorted.down ? " ▼" : " ▲";
      fill();
    };
    th.append(button);
    return th;
  }));
  byId("table").tHead.replaceChildren(tr);
}

byId("metric").onchange = draw;
byId("find").oninput = () => { shown = STEP; fill(); };
byId("all").onclick = () => choose(null);
byId("more").onclick = () => { shown += STEP; fill(); };
dark.onchange = narrow.onchange = () => { draw(); drawSearch(); };
head();
fill(); // the table is there while plotly still loads; the page then calls draw()
