// A pad to draw a digit on; a network's answer, what it sees and its feature maps, while one draws.

const SIDE = 28, INNER = 20, PEN = 2.4; // pixels, as in `rasterise` of Python

// How much ink lies on each pixel, 0 to 1: by the distance of its middle from the nearest line.
function ink(lines) {
  const sheet = new Float64Array(SIDE * SIDE);
  for (let place = 0; place < sheet.length; place += 1) {
    const [x, y] = [(place % SIDE) + 0.5, Math.floor(place / SIDE) + 0.5];
    let least = Infinity;
    for (const line of lines) {
      for (let at = 0; at < Math.max(line.length - 1, 1); at += 1) {
        const [ax, ay] = line[at], [bx, by] = line[Math.min(at + 1, line.length - 1)];
        const [dx, dy] = [bx - ax, by - ay], length = dx * dx + dy * dy;
        const along = length ? Math.min(Math.max(((x - ax) * dx + (y - ay) * dy) / length, 0), 1) : 0;
        least = Math.min(least, (x - ax - along * dx) ** 2 + (y - ay - along * dy) ** 2);
      }
    }
    sheet[place] = Math.min(Math.max(PEN / 2 + 0.5 - Math.sqrt(least), 0), 1);
  }
  return sheet;
}

// Strokes as MNIST has its digits: fitted into 20 x 20 pixels, the centre of mass in the middle of 28 x 28. 255 is ink.
export function rasterise(strokes) {
  const lines = strokes.filter((stroke) => stroke.length);
  if (!lines.length) return new Uint8Array(SIDE * SIDE);
  const points = lines.flat(), [left, top, right, bottom] = [Math.min, Math.max].flatMap((of) =>
    [0, 1].map((axis) => points.reduce((found, point) => of(found, point[axis]), points[0][axis])));
  const extent = Math.max(right - left, bottom - top);
  const scale = extent > 0 ? (INNER - PEN) / Math.max(extent, 1e-6) : 0; // a dot has no size, and stays a dot
  const fitted = lines.map((line) => line.map(([x, y]) =>
    [(x - (left + right) / 2) * scale + SIDE / 2, (y - (top + bottom) / 2) * scale + SIDE / 2]));
  const rough = ink(fitted);
  let [sum, x, y] = [0, 0, 0];
  rough.forEach((value, place) => {
    sum += value;
    x += value * ((place % SIDE) + 0.5);
    y += value * (Math.floor(place / SIDE) + 0.5);
  });
  const [across, down] = [x / sum - SIDE / 2, y / sum - SIDE / 2];
  return Uint8Array.from(ink(fitted.map((line) => line.map(([a, b]) => [a - across, b - down]))), (value) => Math.round(255 * value));
}

// ---- The network, layer by layer: values have the shape [channels, height, width], or [features]

const LAYERS = {
  conv(input, [channels, height, width], { weight, bias }) {
    const [out, , k] = weight.form, [rows, columns] = [height - k + 1, width - k + 1];
    const found = new Float32Array(out * rows * columns);
    for (let o = 0, at = 0; o < out; o += 1) {
      for (let row = 0; row < rows; row += 1) {
        for (let column = 0; column < columns; column += 1, at += 1) {
          let sum = bias[o], w = o * channels * k * k;
          for (let c = 0; c < channels; c += 1) {
            for (let i = 0; i < k; i += 1) {
              const from = (c * height + row + i) * width + column;
              for (let j = 0; j < k; j += 1, w += 1) sum += weight[w] * input[from + j];
            }
          }
          found[at] = sum;
        }
      }
    }
    return [found, [out, rows, columns]];
  },
  pool(input, [channels, height, width], { size }) {
    const [rows, columns] = [Math.floor(height / size), Math.floor(width / size)];
    const found = new Float32Array(channels * rows * columns).fill(-Infinity);
    for (let c = 0; c < channels; c += 1) {
      for (let row = 0; row < rows * size; row += 1) {
        for (let column = 0; column < columns * size; column += 1) {
          const to = (c * rows + Math.floor(row / size)) * columns + Math.floor(column / size);
          found[to] = Math.max(found[to], input[(c * height + row) * width + column]);
        }
      }
    }
    return [found, [channels, rows, columns]];
  },
  linear(input, shape, { weight, bias }) {
    const [out, features] = weight.form;
    const found = Float32Array.from({ length: out }, (_, o) => {
      let sum = bias[o];
      for (let i = 0, w = o * features; i < features; i += 1, w += 1) sum += weight[w] * input[i];
      return sum;
    });
    return [found, [out]];
  },
  tanh: (input, form) => [input.map(Math.tanh), form],
  relu: (input, form) => [input.map((value) => Math.max(value, 0)), form],
  flatten: (input, form) => [input, [form.reduce((a, b) => a * b)]],
};

export const network = ({ layers, mean, deviation }) => ({ mean, deviation, layers: layers.map((layer) => ({
  ...layer, ...(layer.weight ? { weight: unpack(layer.weight), bias: unpack(layer.bias) } : {}) })) });

// What a network makes of an image: probabilities, and the maps of each convolution after the layer that follows it.
export function read({ layers, mean, deviation }, image) {
  let values = Float32Array.from(image, (value) => (value / 255 - mean) / deviation), form = [1, SIDE, SIDE];
  const maps = [];
  layers.forEach((layer, at) => {
    [values, form] = LAYERS[layer.kind](values, form, layer);
    if (at && layers[at - 1].kind === "conv") maps.push({ values, form });
  });
  const most = Math.max(...values), powers = [...values].map((value) => Math.exp(value - most));
  const sum = powers.reduce((a, b) => a + b);
  return { image, maps, probabilities: powers.map((power) => power / sum) };
}

// ---- What is shown

const STOPS = [[5, 48, 97], [67, 147, 195], [247, 247, 247], [214, 96, 77], [103, 0, 31]]; // blue, white, red
function signedColour(value) {
  const place = 2 * Math.min(Math.max(value, -1), 1) + 2, below = Math.min(Math.floor(place), 3);
  return STOPS[below].map((from, channel) => from + (place - below) * (STOPS[below + 1][channel] - from));
}

// Maps side by side with gaps between, about twice as wide as high.
function mosaic({ values, form: [count, height, width] }, title) {
  const columns = Math.ceil(Math.sqrt(2 * count)), rows = Math.ceil(count / columns);
  const [across, down] = [columns * (width + 1) - 1, rows * (height + 1) - 1];
  const most = values.reduce((found, value) => Math.max(found, Math.abs(value)), 0) || 1;
  return raster(across, down, (place) => {
    const [x, y] = [place % across, Math.floor(place / across)];
    const [column, row] = [Math.floor(x / (width + 1)), Math.floor(y / (height + 1))];
    const [i, j] = [y % (height + 1), x % (width + 1)], map = row * columns + column;
    if (i === height || j === width || map >= count) return [0, 0, 0, 0];
    return signedColour(values[(map * height + i) * width + j] / most);
  }, { title, side: 400 });
}

function words({ image, probabilities }) {
  if (!image.some((value) => value)) {
    return "The paper is empty. Draw a digit; even empty paper gets an answer, since it knows nothing else.";
  }
  const order = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]);
  const [first, second] = order.map((digit) => `${digit} (${percent(probabilities[digit])})`);
  return `The network reads ${first}; next it would say ${second}.`;
}

// The paper: mouse, pen and finger, or the arrow keys and the space bar. The first stroke starts a clean sheet.
function paper(page) {
  const id = fresh(), size = 280, ratio = window.devicePixelRatio || 1;
  const canvas = make("canvas", { width: size * ratio, height: size * ratio, class: "k2c-pad", tabindex: 0, role: "application",
    "aria-label": "Paper to draw a digit on", "aria-describedby": id });
  const pen = canvas.getContext("2d");
  pen.scale(ratio * size, ratio * size);
  Object.assign(pen, { lineWidth: 0.06, lineCap: "round", lineJoin: "round", strokeStyle: "#222" });
  let strokes = [], example = true, drawing = false, cursor = null;
  const part = { name: "strokes", node: make("div", { class: "k2c-paper" }, canvas,
    make("p", { id, class: "k2c-hint" }, "Draw with the mouse or a finger; or move the pen by the arrow keys, the space bar sets it down and lifts it.")) };

  function paint() {
    pen.clearRect(0, 0, 1, 1);
    for (const stroke of strokes) {
      pen.beginPath();
      pen.moveTo(...stroke[0]);
      for (const point of stroke) pen.lineTo(...point);
      pen.stroke();
    }
    if (cursor) {
      pen.save();
      Object.assign(pen, { lineWidth: 0.012, strokeStyle: drawing ? "#d55e00" : "#0072b2" });
      pen.beginPath();
      pen.arc(...cursor, 0.045, 0, 7);
      pen.stroke();
      pen.restore();
    }
    canvas.dataset.points = strokes.flat().length;
  }
  function begin(point) {
    if (example) strokes = [];
    example = false;
    drawing = true;
    strokes.push([point]);
    moved();
  }
  function moved() {
    paint();
    page.values.strokes = strokes;
    page.draw();
  }
  function end() {
    if (!drawing) return;
    drawing = false;
    paint();
    page.set("strokes", structuredClone(strokes));
  }
  function place(event) {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }
  const on = (name, act) => canvas.addEventListener(name, act);
  on("pointerdown", (event) => {
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    cursor = null;
    begin(place(event));
  });
  on("pointermove", (event) => {
    if (!drawing || cursor) return;
    strokes.at(-1).push(place(event));
    moved();
  });
  for (const name of ["pointerup", "pointercancel", "blur"]) on(name, end);
  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  on("keydown", (event) => {
    if (event.key !== " " && !ways[event.key]) return;
    event.preventDefault();
    event.stopPropagation(); // JupyterLab would move to another cell
    cursor ??= [0.5, 0.5];
    if (event.key === " ") return drawing ? end() : begin([...cursor]);
    cursor = cursor.map((at, axis) => Math.min(Math.max(at + ways[event.key][axis] * 0.04, 0), 1));
    if (!drawing) return paint();
    strokes.at(-1).push([...cursor]);
    moved();
  });
  part.set = (wanted) => {
    strokes = structuredClone(wanted);
    paint();
  };
  part.clear = () => {
    [example, drawing, cursor] = [false, false, null];
    part.set([]);
    page.set("strokes", []);
  };
  part.answered = () => { canvas.dataset.answered = canvas.dataset.points; };
  return part;
}

function render(host) {
  const made = network(host.model.get("data"));
  let sheet;
  const controls = (page) => [sheet = paper(page), button("Clear", () => sheet.clear())];
  widget(host, controls, ({ strokes }, page) => {
    const reading = read(made, rasterise(strokes)), { image, probabilities, maps } = reading;
    const best = probabilities.indexOf(Math.max(...probabilities));
    const bars = chart({ title: "How sure it is", height: 250, x: { label: "digit", domain: [-0.6, 9.6], ticks: [...Array(10).keys()] },
      y: { label: "probability", domain: [0, 1], ticks: [0, 0.25, 0.5, 0.75, 1] } });
    probabilities.forEach((value, digit) => bars.bar(digit - 0.4, digit + 0.4, value, digit === best ? "red" : "grey"));
    const seen = raster(SIDE, SIDE, (place) => Array(3).fill(255 - image[place]), { title: "What it sees: 28 × 28", side: 190 });
    page.views.replaceChildren(figure("What it sees: 28 × 28", seen), bars.svg, ...maps.map((map) => {
      const title = `${map.form[0]} maps of ${map.form[1]} × ${map.form[2]}`;
      return figure(title, mosaic(map, title));
    }));
    page.say(words(reading));
    sheet.answered();
  });
}
export default { render };
