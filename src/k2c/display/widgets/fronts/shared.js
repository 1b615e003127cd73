// What the front ends of all widgets share: elements, controls, charts, and numbers as Python writes them.
// This text stands before a widget's own file; together they are one module, for anywidget and for a static page.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}
const make = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const shape = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

// ---- Data from Python

const HALF = (bits) => {
  const sign = bits >> 15 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return exponent === 31 ? (fraction ? NaN : sign * Infinity) : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
};
const ARRAYS = {
  float32: Float32Array, float64: Float64Array, uint8: Uint8Array, uint16: Uint16Array, int32: Int32Array,
};

// Return the numbers that Python packed (dtype, shape, base64): a typed array with its shape.
function unpack({ dtype, shape: form, base64 }) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const values = dtype === "float16"
    ? Float32Array.from(new Uint16Array(bytes.buffer), HALF)
    : new ARRAYS[dtype](bytes.buffer);
  return Object.assign(values, { form });
}

// ---- Numbers as Python writes them

// f"{x:.{digits}f}": a tie goes to the even digit, where JavaScript goes up.
function fixed(x, digits) {
  if (Math.abs(x) < 1e6) {
    const [whole, after] = Math.abs(x).toFixed(20).split(".");
    if (after[digits] === "5" && !/[1-9]/.test(after.slice(digits + 1))) {
      const kept = BigInt(whole + after.slice(0, digits));
      const even = String(kept % 2n ? kept + 1n : kept).padStart(digits + 1, "0");
      const text = digits ? `${even.slice(0, -digits)}.${even.slice(-digits)}` : even;
      return (x < 0 ? "-" : "") + text;
    }
  }
  return x.toFixed(digits);
}
const percent = (x, digits = 0) => `${fixed(100 * x, digits)}%`;
const signed = (x, digits) => (x < 0 || Object.is(x, -0) ? "" : "+") + fixed(x, digits);
const thousands = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");

// f"{x:.{digits}g}"
function general(x, digits = 6) {
  if (x === 0 || !Number.isFinite(x)) return String(x);
  const [mantissa, power] = x.toExponential(digits - 1).split("e");
  const bare = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  const exponent = Number(power);
  if (exponent >= -4 && exponent < digits) return bare(x.toFixed(Math.max(digits - 1 - exponent, 0)));
  return `${bare(mantissa)}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

// ---- A widget: controls above, what they are set to below, a sentence on it, errors where they are seen

// Controls are objects {name, node, set(value)}. `show(values, page)` draws; it is called when a value has changed.
function widget({ model, el }, controls, show) {
  const error = make("div", { role: "alert", class: "k2c-error", hidden: true });
  const views = make("div", { class: "k2c-views" });
  const caption = make("p", { class: "k2c-caption", "aria-live": "polite" });
  const page = { values: { ...model.get("values") }, views, draw, set, fail, drawn: 0 };
  let waiting = false;

  page.say = (words) => { if (caption.textContent !== words) caption.textContent = words; };
  function fail(words) {
    error.textContent = words ?? "";
    error.hidden = !words;
  }
  function now() {
    waiting = false;
    try {
      show(page.values, page);
      fail(model.get("error"));
    } catch (problem) {
      fail(`${problem.name}: ${problem.message}`);
    }
    page.drawn += 1;
    el.firstChild.dataset.drawn = page.drawn;
  }
  // At most once a frame, however fast a hand moves.
  function draw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(now);
  }
  function set(name, value) {
    page.values = { ...page.values, [name]: value };
    model.set("values", { ...page.values });
    model.set("error", "");
    model.save_changes();
    draw();
  }
  const parts = controls(page);
  const place = () => parts.forEach((part) => part.set?.(page.values[part.name], page.values));
  page.place = place;
  model.on("change:values", () => {
    const theirs = model.get("values");
    if (JSON.stringify(theirs) === JSON.stringify(page.values)) return;
    page.values = { ...theirs };
    place();
    draw();
  });
  for (const name of ["data", "error", "answered"]) model.on(`change:${name}`, draw);
  // JupyterLab takes arrow keys for its own, unless the very element that has the focus says that it must not.
  const keepKeys = ({ target }) => target.setAttribute("data-lm-suppress-shortcuts", "true");
  el.append(make("div", { class: "k2c", onfocusin: keepKeys },
    make("div", { class: "k2c-controls" }, ...parts.map((part) => part.node)), error, views, caption));
  place();
  now();
  return page;
}

// Ask the kernel, one question at a time; the answer changes `data`, or sets `error`, which stands until a hand moves.
function ask(model, question, atOnce = false) {
  if (!model.get("kernel")) return;
  const last = model.get("asked").number ?? 0, waits = last > model.get("answered");
  if (!atOnce && (waits || model.get("error"))) return;
  model.set("asked", { ...question, number: last + 1 });
  model.save_changes();
}

let counted = 0;
const fresh = () => `k2c-${Math.random().toString(36).slice(2)}-${counted++}`;

// A slider over a range of numbers, or over `options` one after another.
function slider(page, name, label, { min = 0, max = 1, step = 1, options = null, text = String }) {
  const id = fresh();
  const input = make("input", { type: "range", id, min, max, step });
  const output = make("output", { for: id });
  let choices = options;
  const value = () => (choices ? choices[Number(input.value)] : Number(input.value));
  function tell() {
    output.textContent = text(value());
    input.setAttribute("aria-valuetext", output.textContent);
  }
  function limits(changed) {
    if (Array.isArray(changed)) choices = changed;
    const [low, high, by] = choices ? [0, choices.length - 1, 1] : [min, changed ?? max, step];
    Object.assign(input, { min: low, max: high, step: by });
  }
  limits();
  input.addEventListener("input", () => { tell(); page.set(name, value()); });
  const node = make("div", { class: "k2c-slider" }, make("label", { for: id }, label), input, output);
  const set = (wanted) => {
    input.value = choices ? nearest(choices, wanted) : wanted;
    tell();
  };
  return { name, node, set, limits };
}
function nearest(choices, wanted) {
  const exact = choices.indexOf(wanted);
  if (exact >= 0 || typeof wanted !== "number") return Math.max(exact, 0);
  return choices.reduce((best, each, at) => (Math.abs(each - wanted) < Math.abs(choices[best] - wanted) ? at : best), 0);
}
function checkbox(page, name, label) {
  const id = fresh();
  const input = make("input", { type: "checkbox", id, onchange: () => page.set(name, input.checked) });
  const node = make("div", { class: "k2c-check" }, input, make("label", { for: id }, label));
  return { name, node, set: (wanted) => { input.checked = wanted; } };
}
function choice(page, name, label, options) {
  const id = fresh();
  const input = make("select", { id, onchange: () => page.set(name, input.value) },
    ...options.map((option) => make("option", { value: option }, option)));
  const node = make("div", { class: "k2c-choice" }, make("label", { for: id }, label), input);
  return { name, node, set: (wanted) => { input.value = wanted; } };
}
function button(label, act) {
  return { node: make("button", { type: "button", onclick: act }, label) };
}

// ---- Charts

// One square of a chart with axes; `x` and `y` are {label, domain, ticks, text, log}. It returns where things go.
function chart({ title, x, y, width = 400, height = 300 }) {
  const left = y.label || y.ticks ? 58 : 12, top = 30, right = width - 14, bottom = height - 48;
  const scale = ({ domain: [low, high], log }, from, to) => {
    const at = log ? Math.log : Number;
    return (value) => from + ((at(value) - at(low)) / (at(high) - at(low) || 1)) * (to - from);
  };
  const across = scale(x, left, right), down = scale(y, bottom, top);
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title, class: "k2c-chart",
    style: `max-width:${width}px` });
  svg.append(shape("text", { x: left, y: 18, class: "k2c-title" }, title));
  for (const tick of x.ticks ?? []) {
    svg.append(shape("line", { x1: across(tick), x2: across(tick), y1: top, y2: bottom, class: "k2c-grid" }),
      shape("text", { x: across(tick), y: bottom + 18, "text-anchor": "middle" }, (x.text ?? String)(tick)));
  }
  for (const tick of y.ticks ?? []) {
    svg.append(shape("line", { x1: left, x2: right, y1: down(tick), y2: down(tick), class: "k2c-grid" }),
      shape("text", { x: left - 8, y: down(tick) + 4, "text-anchor": "end" }, (y.text ?? String)(tick)));
  }
  svg.append(shape("path", { d: `M${left},${top}V${bottom}H${right}`, class: "k2c-axis" }));
  if (x.label) svg.append(shape("text", { x: (left + right) / 2, y: height - 8, "text-anchor": "middle" }, x.label));
  if (y.label) {
    const middle = (top + bottom) / 2;
    svg.append(shape("text", { x: 14, y: middle, "text-anchor": "middle", transform: `rotate(-90 14 ${middle})` }, y.label));
  }
  const line = (points, colour, { dashed = false, marks = "" } = {}) => {
    const places = points.map(([a, b]) => `${across(a).toFixed(2)},${down(b).toFixed(2)}`);
    svg.append(shape("polyline", { points: places.join(" "), class: `k2c-line k2c-${colour}`,
      "stroke-dasharray": dashed ? "6 5" : undefined }));
    if (marks) points.forEach(([a, b]) => dot(a, b, colour, marks, 5));
  };
  const dot = (a, b, colour, kind = "o", size = 7) => {
    const [h, v] = [across(a), down(b)];
    const d = { s: `M${h - size},${v - size}h${2 * size}v${2 * size}h${-2 * size}z`,
      "^": `M${h},${v - size}l${size},${2 * size}h${-2 * size}z` }[kind];
    svg.append(d ? shape("path", { d, class: `k2c-dot k2c-${colour}` })
      : shape("circle", { cx: h, cy: v, r: size, class: `k2c-dot k2c-${colour}` }));
  };
  const bar = (from, to, height, colour) => svg.append(shape("rect", { x: across(from), width: across(to) - across(from),
    y: down(height), height: Math.max(bottom - down(height), 0), class: `k2c-bar k2c-${colour}` }));
  return { svg, line, dot, bar };
}

// Round numbers from 0 to `most`, four to eight of them.
function ticksTo(most) {
  const rough = most / 4, power = 10 ** Math.floor(Math.log10(rough)), step = [5, 2, 1].find((by) => by * power <= rough) * power;
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, at) => at * step);
}

// What the colours mean: entries are [colour, words].
const legend = (...entries) => make("ul", { class: "k2c-legend" },
  ...entries.map(([colour, words]) => make("li", {}, make("span", { class: `k2c-key k2c-${colour}` }), words)));

// A canvas of `width` x `height` pixels, painted by colour(place) -> [red, green, blue]; drawn large, pixels stay squares.
function raster(width, height, colour, { title, side }) {
  const canvas = make("canvas", { width, height, role: "img", "aria-label": title, class: "k2c-pixels",
    style: `width:${side}px` });
  const pen = canvas.getContext("2d"), image = pen.createImageData(width, height);
  for (let place = 0; place < width * height; place += 1) {
    const [red, green, blue, alpha = 255] = colour(place);
    image.data.set([red, green, blue, alpha], 4 * place);
  }
  pen.putImageData(image, 0, 0);
  return canvas;
}
const figure = (title, ...nodes) => make("figure", { class: "k2c-figure" }, make("figcaption", {}, title), ...nodes);
