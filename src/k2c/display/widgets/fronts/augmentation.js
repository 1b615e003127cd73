// Six random variants of an image, by the strength of the noise and the chance of a turn.

// Numbers from 0 to 1 from a seed: mulberry32, by Tommy Ettinger (2017).
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// A variant of an image, red, green, blue and opacity of each pixel: perhaps turned by 180 degrees, then with noise.
export function variant(pixels, noise, turned, seed) {
  const random = generator(seed), flip = random() < turned, count = pixels.length / 4;
  const found = new Uint8ClampedArray(pixels.length);
  for (let place = 0; place < count; place += 1) {
    const from = 4 * (flip ? count - 1 - place : place);
    for (let channel = 0; channel < 3; channel += 1) {
      // Box and Muller (1958): a normally distributed number of two uniform ones.
      const off = noise && noise * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
      found[4 * place + channel] = pixels[from + channel] + 255 * off;
    }
    found[4 * place + 3] = 255;
  }
  return found;
}

function render(host) {
  const image = new Image();
  let pixels = null;
  const controls = (page) => {
    image.onload = () => {
      const canvas = make("canvas", { width: image.width, height: image.height }), pen = canvas.getContext("2d");
      pen.drawImage(image, 0, 0);
      pixels = pen.getImageData(0, 0, image.width, image.height).data;
      page.draw();
    };
    image.src = host.model.get("data").image;
    return [slider(page, "noise", "Noise", { max: 0.5, step: 0.02, text: (f) => percent(f) }),
      slider(page, "turned", "Turned", { max: 1, step: 0.1, text: (f) => percent(f) }),
      button("Draw again", () => page.set("draws", page.values.draws + 1))];
  };
  widget(host, controls, ({ noise, turned, draws }, page) => {
    if (!pixels) return;
    const { width, height } = image;
    page.views.replaceChildren(make("div", { class: "k2c-six" }, ...Array.from({ length: 6 }, (_, at) => {
      const canvas = make("canvas", { width, height, role: "img", "aria-label": `Variant ${at + 1} of 6` });
      canvas.getContext("2d").putImageData(new ImageData(variant(pixels, noise, turned, 6 * draws + at), width, height), 0, 0);
      return canvas;
    })));
    page.say(`Six variants: noise of ${percent(noise)} of the range, and a turn with a chance of ${percent(turned)}.`);
  });
}
export default { render };
