// One page, one model: reads the images that are dropped on it, and shows what the model says of each, and where.
const $ = id => document.getElementById(id);
// In the page itself, or in scripts beside it.
const parts = globalThis.k2cParts ?? Object.fromEntries([...document.querySelectorAll("script[type='text/plain']")].map(element => {
  element.remove(); // its text is no longer needed
  return [element.id, element.textContent];
}));
const { start, picture } = k2cNetwork, network = start(parts);
let turn = network; // one image at a time
const STOPS = [[252, 253, 191], [254, 159, 109], [222, 73, 104], [140, 41, 129], [40, 11, 84]]; // from little to much

// A map of a few places, enlarged to an image of `size` pixels a side.
function enlarged(map, high, wide, size) {
  const most = Math.max(...map) || 1;
  const at = (place, count) => {
    const x = Math.min(count - 1, Math.max(0, ((place + 0.5) * count) / size - 0.5)), low = Math.floor(x);
    return [low, Math.min(count - 1, low + 1), x - low];
  };
  return (px, py) => {
    const [left, right, u] = at(px, wide), [up, down, v] = at(py, high);
    const row = y => (1 - u) * map[y * wide + left] + u * map[y * wide + right];
    return ((1 - v) * row(up) + v * row(down)) / most;
  };
}

function drawWhere(said, number) {
  const value = enlarged(said.maps[number], said.high, said.wide, said.square.width), data = said.square.data;
  return picture(said.square, (i, x, y) => {
    const strength = value(x, y), place = strength * (STOPS.length - 1), low = Math.min(STOPS.length - 2, Math.floor(place));
    const light = 127.5 + (data[i] + data[i + 1] + data[i + 2]) / 6, alpha = 0.8 * Math.sqrt(strength);
    return [0, 1, 2].map(c => {
      const heat = STOPS[low][c] + (place - low) * (STOPS[low + 1][c] - STOPS[low][c]);
      return light + alpha * (heat - light);
    });
  });
}

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

const percent = p => (100 * p).toFixed(p > 0 && p < 0.0005 ? 2 : 1) + " %";

function show(model, name, said) {
  const seen = picture(said.square, i => said.square.data.subarray(i, i + 3));
  seen.setAttribute("role", "img");
  seen.setAttribute("aria-label", `${name}, as the model sees it`);
  const place = element("figure", {}), rows = element("div", { className: "answers" });
  const choose = (number, button) => {
    const canvas = drawWhere(said, number), what = model.classes[said.top[number]];
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Where ${name} speaks for ${what}`);
    place.replaceChildren(canvas, element("figcaption", {}, "what speaks for ", element("b", {}, what)));
    rows.querySelectorAll("button").forEach(b => b.setAttribute("aria-pressed", String(b === button)));
  };
  const order = Array.from(said.probabilities.keys()).sort((a, b) => said.probabilities[b] - said.probabilities[a]);
  for (const index of order.slice(0, Math.max(20, said.top.length)).filter((_, i) => i < 5 || model.classes.length <= 20)) {
    const number = said.top.indexOf(index), p = said.probabilities[index];
    const row = element(number < 0 ? "div" : "button", { className: "answer" },
      element("span", { className: "name" }, model.classes[index]), element("span", { className: "value" }, percent(p)),
      element("span", { className: "bar" }));
    row.lastChild.style.setProperty("--p", p);
    if (number >= 0) row.onclick = () => choose(number, row);
    rows.append(row);
  }
  choose(0, rows.querySelector("button"));
  if (model.alarm !== null) {
    const p = said.probabilities[model.classes.length - 1], says = p >= model.alarm ? "positive" : "negative";
    rows.prepend(element("p", {}, element("b", {}, says), `: ${percent(p)} for ${model.classes.at(-1)}, and the threshold is ${percent(model.alarm)}.`));
  }
  const images = element("div", { className: "images" },
    element("figure", {}, seen, element("figcaption", {}, "what the model sees")), place);
  $("answers").prepend(element("article", {}, element("h2", {}, name), images, rows));
}

function take(files) {
  for (const file of files) {
    turn = turn.then(async () => {
      $("status").textContent = `Looking at ${file.name} ...`;
      try {
        const { model, answer } = await network;
        show(model, file.name, await answer(file));
        $("status").textContent = `${file.name}: done. Choose a class to see where the image speaks for it.`;
      } catch (error) {
        $("status").textContent = `${file.name} cannot be answered. ${error.message}`;
      }
    });
  }
}

network.then(() => { $("status").textContent = "Ready."; },
  error => { $("status").textContent = `The model cannot be started in this browser: ${error.message}`; });
$("files").onchange = event => { take([...event.target.files]); event.target.value = ""; };
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, event => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") take([...event.dataTransfer.files]);
  });
}
