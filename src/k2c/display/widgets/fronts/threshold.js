// A threshold by slider: the point on the ROC curve, the confusion matrix and the cost move along.

// The number of entries of a sorted array that are less than a value.
function below(sorted, value) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
export function sorted(scores, labels) {
  const of = (wanted) => Float64Array.from(scores.filter((_, at) => labels[at] === wanted)).sort();
  const [negatives, positives] = [of(0), of(1)];
  const all = Float64Array.from(scores).sort();
  // Every score is a useful threshold, and the number after the last, at which nobody raises an alarm.
  return { negatives, positives, all, useful: [...new Set(all), after(all.at(-1))] };
}
function after(x) {
  const number = Float64Array.of(x), bits = new BigInt64Array(number.buffer);
  bits[0] += x >= 0 ? 1n : -1n;
  return number[0];
}

// What a threshold does, where a missed positive costs as much as `missed` false alarms.
export function decide({ negatives, positives, all, useful }, threshold, missed) {
  const counts = [negatives, positives].map((kind) => {
    const left = below(kind, threshold);
    return [left, kind.length - left];
  });
  const cost = (at) => (missed * below(positives, at) + negatives.length - below(negatives, at)) / all.length;
  const costs = useful.map(cost);
  const least = Math.min(...costs);
  return { counts, cost: cost(threshold), costs, least, best: useful[costs.indexOf(least)] };
}

function roc({ negatives, positives, useful }, counts) {
  const found = chart({ title: "ROC curve", x: { label: "negatives with an alarm", ...FRACTION }, y: { label: "positives found", ...FRACTION } });
  const points = useful.map((at) => [1 - below(negatives, at) / negatives.length, 1 - below(positives, at) / positives.length]);
  found.line([[0, 0], [1, 1]], "grey", { dashed: true });
  found.line(points, "blue");
  found.dot(...counts.map(([left, sent]) => sent / (left + sent)), "red");
  return found.svg;
}
const FRACTION = { domain: [-0.02, 1.02], ticks: [0, 0.25, 0.5, 0.75, 1], text: (fraction) => percent(fraction) };

function costCurve({ all, useful }, made) {
  const sent = (at) => 1 - below(all, at) / all.length;
  const most = Math.max(...made.costs, made.cost);
  const found = chart({ title: "Mean cost, in false alarms", x: { label: "sent to a doctor", ...FRACTION },
    y: { domain: [0, 1.05 * most], ticks: ticksTo(most), text: (cost) => general(cost, 3) } });
  found.line(useful.map((at, place) => [sent(at), made.costs[place]]), "blue");
  found.dot(sent(made.best), made.least, "green", "s");
  found.dot(sent(made.threshold), made.cost, "red");
  return found.svg;
}

function matrix(counts) {
  const row = (name, cells) => make("tr", {}, make("th", { scope: "row" }, name), ...cells.map((count) => {
    const fraction = Math.round((100 * count) / (cells[0] + cells[1]));
    return make("td", { class: "k2c-count", style: `--k2c-part:${fraction}%` }, thousands(count));
  }));
  return make("table", { class: "k2c-matrix" }, make("caption", {}, "Who goes where"),
    make("thead", {}, make("tr", {}, make("td", {}), make("th", { scope: "col" }, "left alone"), make("th", { scope: "col" }, "sent on"))),
    make("tbody", {}, row("negative", counts[0]), row("positive", counts[1])));
}

function render(host) {
  const data = host.model.get("data");
  const people = sorted([...unpack(data.scores)], [...unpack(data.labels)]);
  const controls = (page) => [
    slider(page, "threshold", "Threshold", { options: [...unpack(data.thresholds)], text: (at) => general(at, 3) }),
    slider(page, "missed", "Miss costs", { min: 1, max: 100 }),
  ];
  widget(host, controls, ({ threshold, missed }, page) => {
    const made = { threshold, ...decide(people, threshold, missed) };
    const [negatives, positives] = made.counts, all = (pair) => pair[0] + pair[1];
    page.views.replaceChildren(roc(people, made.counts), matrix(made.counts), costCurve(people, made),
      legend(["red", "this threshold"], ["green", "least cost"]));
    page.say(`At a threshold of ${general(threshold, 3)}, ${positives[1]} of ${all(positives)} positives are found `
      + `(${percent(positives[1] / all(positives))}) and ${negatives[1]} of ${all(negatives)} negatives raise an alarm `
      + `(${percent(negatives[1] / all(negatives))}). If a missed eye costs ${missed} alarms, `
      + `the mean cost is ${fixed(made.cost, 3)} alarms; the least possible is ${fixed(made.least, 3)}, at ${general(made.best, 3)}.`);
  });
}
export default { render };
