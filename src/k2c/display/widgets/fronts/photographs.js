// A photograph before a pretrained network: its five best answers, and what they rest on.
// The answers to the samples are stored. One's own photograph goes to the kernel, or without one to a network that the
// page starts when it is asked to.

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

// What the page's network says of an image file, in the form of Python's answers.
async function seenBy({ model, answer, picture }, file) {
  const { probabilities, top, maps, high, wide, square } = await answer(file);
  return {
    square: picture(square, (i) => square.data.subarray(i, i + 3)).toDataURL(),
    answers: top.map((index) => [model.classes[index], probabilities[index]]),
    maps: maps.map((map) => {
      const most = Math.max(...map) || 1;
      return Object.assign(map.map((value) => (255 * value) / most), { form: [high, wide] });
    }),
  };
}

// Where one brings a photograph of one's own: take(file) answers; `start` first prepares it, where there is no kernel.
function bring(page, take, start) {
  const tell = (words) => { status.textContent = words; };
  const attempt = async (act, during, after) => {
    tell(during);
    try {
      await act();
      tell(after);
    } catch (error) {
      tell("");
      page.fail(error.message);
    }
  };
  const own = make("input", { type: "file", accept: "image/*", "aria-label": "Your own", onchange: () => {
    const [file] = own.files;
    if (file) attempt(() => take(file), start ? `Looking at ${file.name} ...` : "", "");
  } });
  const label = make("label", { class: "k2c-choice" }, "Your own", own), status = make("span", { class: "k2c-hint", role: "status" });
  if (!start) return { node: label };
  const opener = make("button", { type: "button", onclick: () => {
    page.fail();
    opener.disabled = true;
    attempt(async () => {
      await start();
      opener.replaceWith(label);
      own.focus();
    }, "The network is being unpacked ...", "The network is ready: choose an image.").then(() => { opener.disabled = false; });
  } }, "Try your own photograph");
  tell("It starts the network in this page. Your photograph stays on this computer.");
  return { node: make("div", { class: "k2c-bring" }, opener, status) };
}

function render(host) {
  const { model } = host, images = {}, known = {}, kernel = model.get("kernel");
  const controls = (page) => {
    const learn = (found) => {
      for (const [name, seen] of Object.entries(found)) {
        known[name] = seen;
        images[name] = Object.assign(new Image(), { onload: page.draw, src: seen.square, alt: "", className: "dark-light k2c-photo" });
      }
    };
    const stored = () => learn(Object.fromEntries(Object.entries(model.get("data").seen)
      .map(([name, seen]) => [name, { ...seen, maps: seen.maps.map(unpack) }])));
    stored();
    model.on("change:data", stored);
    const names = model.get("data").names, photograph = choice(page, "photograph", "Photograph", [...names, ...(kernel ? [OWN] : [])]);
    let network;
    const start = async () => { network = await host.network("photographs"); };
    const take = async (file) => {
      if (kernel) {
        const reader = new FileReader();
        reader.onload = () => ask(model, { file: reader.result.split(",")[1] }, true);
        return reader.readAsDataURL(file);
      }
      learn({ [OWN]: await seenBy(network, file) });
      const select = photograph.node.querySelector("select");
      if (select.options.length === names.length) select.append(make("option", { value: OWN }, OWN));
      page.set("photograph", OWN);
      page.set("answer", 1);
      page.place();
    };
    return [photograph, slider(page, "answer", "Answer", { min: 1, max: 5 }), bring(page, take, kernel ? null : start)];
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
