// Speed-up against the number of workers, by the speed of the link and the size of the model: the cost model of lecture 6.

const WAYS = { ring: "ring all-reduce", tree: "tree", parameter_server: "one parameter server" };
const MARKS = { ring: ["blue", "o"], tree: ["red", "s"], parameter_server: ["green", "^"] };

// Seconds of one exchange of so many bytes; see `k2c.parallel.cost`.
export const EXCHANGES = {
  ring: (n, bytes, link) => (n > 1 ? 2 * (n - 1) * send(link, bytes / n) : 0),
  tree: (n, bytes, link) => 2 * Math.ceil(Math.log2(n)) * send(link, bytes),
  parameter_server: (n, bytes, link) => 2 * send(link, Math.max(n, 1) * bytes),
};
const send = ({ latency, bandwidth }, bytes) => latency + bytes / bandwidth;

export function stepSeconds(step, workers, link, way, overlap) {
  const { forward, backward, update } = step;
  if ((workers === 1 && way !== "parameter_server") || !step.gradient_bytes) return forward + backward + update;
  const buckets = Math.max(1, Math.ceil(step.gradient_bytes / step.bucket_bytes));
  const one = EXCHANGES[way](workers, step.gradient_bytes / buckets, link);
  if (!overlap) return forward + backward + buckets * one + update;
  let done = 0;
  for (let bucket = 0; bucket < buckets; bucket += 1) {
    done = Math.max(done, (backward * (bucket + 1)) / buckets) + one;
  }
  return forward + done + update;
}
export const speedUp = (step, workers, link, way, overlap) =>
  (workers * (step.forward + step.backward + step.update)) / stepSeconds(step, workers, link, way, overlap);

// The bandwidth, in bytes per second, at which a speed-up comes out; null if no bandwidth gives it.
export function bandwidthFor(step, workers, wanted, latency, way, overlap) {
  const reached = (bandwidth) => speedUp(step, workers, { latency, bandwidth }, way, overlap) >= wanted;
  let [low, high] = [1e3, 1e15];
  if (!reached(high)) return null;
  for (let turn = 0; turn < 100; turn += 1) {
    const middle = Math.sqrt(low * high);
    if (reached(middle)) high = middle;
    else low = middle;
  }
  return high;
}

const short = (number) => String(Number(number.toPrecision(3)));

function render(host) {
  const start = host.model.get("data"), nodes = start.nodes;
  // Powers of 10 in tenths; the value that a widget starts with stays as it is until it is moved.
  const tenths = (from, to) => Array.from({ length: 10 * (to - from) + 1 }, (_, at) => 10 ** (from + at / 10));
  const sized = [...new Set([...tenths(-1, 4), start.megabytes])].sort((a, b) => a - b);
  const controls = (page) => [
    slider(page, "nodes", "Nodes", { options: nodes }),
    slider(page, "link", "Gbit/s", { options: tenths(-1, 3), text: short }),
    slider(page, "model", "Model, MB", { options: sized, text: short }),
    checkbox(page, "overlap", "Exchange while computing"),
  ];
  widget(host, controls, (values, page) => {
    const counts = [1, ...nodes.filter((n) => n <= values.nodes)];
    const link = { latency: start.latency, bandwidth: (values.link * 1e9) / 8 };
    const step = { ...start.step, gradient_bytes: values.model * 1e6 };
    const curves = Object.fromEntries(Object.keys(WAYS).map((way) => [
      way, counts.map((n) => speedUp(step, n, link, way, values.overlap))]));
    const last = counts.at(-1), least = Math.min(1, ...Object.values(curves).flat());
    const workers = { label: "workers", domain: [1, last], ticks: counts, log: true };
    const speed = chart({ title: "Speed-up", x: workers, y: { domain: [least, last], ticks: counts, log: true } });
    const efficiency = chart({ title: "Efficiency", x: workers,
      y: { domain: [0, 1.05], ticks: [0, 0.2, 0.4, 0.6, 0.8, 1], text: (f) => percent(f) } });
    speed.line(counts.map((n) => [n, n]), "grey", { dashed: true });
    for (const [way, found] of Object.entries(curves)) {
      const [colour, marks] = MARKS[way];
      speed.line(counts.map((n, at) => [n, found[at]]), colour, { marks });
      efficiency.line(counts.map((n, at) => [n, found[at] / n]), colour, { marks });
    }
    page.views.replaceChildren(speed.svg, efficiency.svg, legend(["grey", "ideal"],
      ...Object.entries(WAYS).map(([way, name]) => [MARKS[way][0], name])));
    const needed = bandwidthFor(step, last, 0.9 * last, start.latency, "ring", values.overlap);
    const wanted = needed === null ? "no link is fast enough for a ring to reach 90%"
      : `a ring reaches 90% with ${short((8 * needed) / 1e9)} Gbit/s`;
    const told = Object.entries(WAYS).map(([way, name]) => `${name} ${fixed(curves[way].at(-1), 1)} times`).join(", ");
    page.say(`${last} workers, a link of ${short(values.link)} Gbit/s, ${short(values.model)} MB of gradient: `
      + `${told} as fast as one; ${wanted}.`);
  });
}
export default { render };
