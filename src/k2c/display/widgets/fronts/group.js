// One work-group of a tiled matrix product, step by step: what it reads and writes between two barriers.

const STATES = [["cell", "not touched"], ["dim", "touched before"], ["blue", "read now"], ["red", "written now"]];

// The state of each element in a step: 0 never touched, 1 before, 2 read now, 3 written now.
export function touched(accesses, array, size, step) {
  const state = new Uint8Array(size);
  for (const pass of [(one) => one.step < step && 1, (one) => one.step === step && !one.write && 2,
    (one) => one.step === step && one.write && 3]) {
    for (const one of accesses) {
      const now = one.array === array && pass(one);
      if (now) for (const place of one.index) state[place] = now;
    }
  }
  return state;
}
export const trace = ({ steps, reads, accesses }) =>
  ({ steps, reads, accesses: accesses.map((one) => ({ ...one, index: unpack(one.index) })) });

function grid(name, rows, columns, state) {
  const most = 13, svg = shape("svg", { viewBox: `0 0 ${columns * most} ${rows * most}`, role: "img", class: "k2c-grid-of",
    style: `width:${columns * most}px`, "aria-label": `${name}: ${[2, 3].map((kind) =>
      `${state.filter((one) => one === kind).length} ${STATES[kind][1]}`).join(", ")}` });
  state.forEach((one, place) => svg.append(shape("rect", { x: (place % columns) * most + 0.5, y: Math.floor(place / columns) * most + 0.5,
    width: most - 1, height: most - 1, class: `k2c-bar k2c-${STATES[one][0]}` })));
  return svg;
}

function render(host) {
  const { side, tiles } = host.model.get("data");
  const traces = Object.fromEntries(Object.entries(tiles).map(([tile, found]) => [tile, trace(found)]));
  let steps;
  const controls = (page) => {
    steps = slider(page, "step", "Step", { min: 1, max: 1 });
    const next = () => page.set("step", (page.values.step % traces[page.values.tile].steps) + 1);
    return [slider(page, "tile", "Tile", { options: Object.keys(tiles).map(Number), text: (tile) => `${tile} × ${tile}` }), steps,
      button("Next step", next)];
  };
  widget(host, controls, ({ tile, step }, page) => {
    const found = traces[tile], now = step - 1;
    if (step > found.steps) return page.set("step", found.steps);
    steps.limits(found.steps);
    steps.set(step);
    const shapes = { a: side, b: side, c: side, tile_a: tile, tile_b: tile };
    const figures = Object.entries(shapes).map(([name, size]) => figure(
      make("span", {}, name, make("span", { class: "k2c-where" }, `${name.includes("_") ? "local" : "global"} memory`)),
      grid(name, size, size, touched(found.accesses, name, size * size, now))));
    page.views.replaceChildren(make("div", { class: "k2c-three" }, ...figures), legend(...STATES));
    const reads = found.reads, sum = (values) => values.reduce((a, b) => a + b, 0);
    page.say(`In this step the group reads ${thousands(reads[now])} numbers from global memory, `
      + `${thousands(sum(reads.slice(0, now + 1)))} so far. Over all steps it reads ${thousands(sum(reads))}; without tiles it would `
      + `read ${thousands(2 * side * tile ** 2)}.`);
  });
}
export default { render };
