// A photograph before a pretrained network: its five best answers, and what they rest on.
// The network runs in Python: its answers to the samples are stored; to one's own photograph they need a kernel.

const OWN = "your own photograph";
const MAGMA = [[252, 253, 191], [252, 137, 97], [183, 55, 121], [81, 18, 124], [0, 0, 4]]; // more is darker
function heatColour(value) {
  const place = 4 * Math.min(Math.max(value, 0), 1), below = Math.min(Math.floor(place), 3);
  return MAGMA[below].map((from, channel) => from + (place - below) * (MAGMA[below + 1][channel] - from));
}

// The value of a small map (side x side) at a place from 0 to 1, between the middles of its cells.
export function between(map, side, across, down) {
  const at = (f) => Math.min(Math.max(f * side - 0.5, 0), side - 1);
  const [x, y] = [at(across), at(down)], [left, top] = [Math.floor(x), Math.floor(y)];
  const [right, bottom] = [Math.min(left + 1, side - 1), Math.min(top + 1, side - 1)], [h, v] = [x - left, y - top];
  const row = (line) => (1 - h) * map[line * side + left] + h * map[line * side + right];
  return (1 - v) * row(top) + v * row(bottom);
}

function hot(image, map, title) {
  const { width, height } = image, canvas = make("canvas", { width, height, role: "img", "aria-label": title, class: "k2c-photo" });
  const pen = canvas.getContext("2d"), [side] = map.form;
  pen.drawImage(image, 0, 0);
  const pixels = pen.getImageData(0, 0, width, height);
  for (let place = 0; place < width * height; place += 1) {
    const heat = between(map, side, ((place % width) + 0.5) / width, (Math.floor(place / width) + 0.5) / height) / 255;
    const colour = heatColour(heat), opacity = 0.8 * Math.sqrt(heat);
    const grey = ([0, 1, 2].reduce((sum, channel) => sum + pixels.data[4 * place + channel], 0) / 3) * 0.6 + 100;
    for (let channel = 0; channel < 3; channel += 1) {
      pixels.data[4 * place + channel] = opacity * colour[channel] + (1 - opacity) * Math.min(grey, 255);
    }
  }
  pen.putImageData(pixels, 0, 0);
  return canvas;
}

function render(host) {
  const { model } = host, images = {}, known = {};
  const controls = (page) => {
    const learn = () => {
      for (const [name, seen] of Object.entries(model.get("data").seen)) {
        known[name] = { ...seen, maps: seen.maps.map(unpack) };
        images[name] = Object.assign(new Image(), { onload: page.draw, src: seen.square, alt: "", className: "dark-light k2c-photo" });
      }
    };
    learn();
    model.on("change:data", learn);
    const names = [...model.get("data").names, ...(model.get("kernel") ? [OWN] : [])];
    const own = make("input", { type: "file", accept: "image/*", "aria-label": "Your own", onchange: () => {
      const reader = new FileReader();
      reader.onload = () => ask(model, { file: reader.result.split(",")[1] }, true);
      if (own.files.length) reader.readAsDataURL(own.files[0]);
    } });
    return [choice(page, "photograph", "Photograph", names),
      slider(page, "answer", "Answer", { min: 1, max: 5 }),
      model.get("kernel") ? { node: make("label", { class: "k2c-choice" }, "Your own", own) }
        : { node: make("span", { class: "k2c-hint" }, "In the notebook you can bring a photograph of your own.") }];
  };
  widget(host, controls, ({ photograph, answer }, page) => {
    const seen = known[photograph], image = images[photograph];
    if (!seen) return photograph === OWN ? undefined : ask(model, { photograph });
    if (!image.complete || !image.width) return;
    const [name, sure] = seen.answers[answer - 1], [best, surest] = seen.answers[0];
    image.alt = `Photograph: ${photograph}`;
    const title = `What speaks for ${name}`;
    const rows = seen.answers.map(([each, chance], at) => make("tr", {}, make("th", { scope: "row" }, each),
      make("td", { class: "k2c-chance" }, make("span", { class: `k2c-length k2c-${at === answer - 1 ? "red" : "blue"}`,
        style: `width:${100 * chance}%` }), percent(chance))));
    page.views.replaceChildren(figure("What it sees", image), figure(title, hot(image, seen.maps[answer - 1], title)),
      make("table", { class: "k2c-answers" }, make("caption", {}, "Its five best answers"), make("tbody", {}, ...rows)));
    page.say(`The network's best answer is ${best} (${percent(surest)}). The map shows what speaks for its answer number `
      + `${answer}, ${name} (${percent(sure)}).`);
  });
}
export default { render };
