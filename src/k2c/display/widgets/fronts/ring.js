// A ring all-reduce, round by round: who sends which piece, and what everybody holds then.

// Who sends which piece in a round (from 0), and whether the receiver adds it to its own.
export function sentIn(n, number) {
  const adds = number < n - 1;
  const first = adds ? number : number - (n - 1) - 1;
  return Array.from({ length: n }, (_, worker) => [worker, (((worker - first) % n) + n) % n, adds]);
}

// What each worker holds at the start and after each of the 2 (n - 1) rounds; row i is worker i's.
export function ringStates(values) {
  const n = values.length, states = [values.map((row) => [...row])];
  for (let number = 0; number < 2 * (n - 1); number += 1) {
    const before = states.at(-1), after = before.map((row) => [...row]);
    for (const [worker, piece, adds] of sentIn(n, number)) {
      const right = (worker + 1) % n;
      after[right][piece] = before[worker][piece] + (adds ? before[right][piece] : 0);
    }
    states.push(after);
  }
  return states;
}

function words(n, number, complete) {
  const what = number === 0 ? "At the start each worker has its own gradient, cut into pieces."
    : number < n ? "Each worker sent one piece to the next, who added it to its own."
    : "Each worker passed on a complete sum, and the next one took it as it is.";
  return `${what} ${complete} of ${n * n} pieces are complete. So far each has sent ${number}/${n} of the gradient.`;
}

function render(host) {
  let rounds;
  const controls = (page) => {
    rounds = slider(page, "round", "Round", { min: 0, max: 6 });
    const forward = button("Next round", () => page.set("round", (page.values.round + 1) % (2 * page.values.workers - 1)));
    return [slider(page, "workers", "Workers", { min: 2, max: 8 }), rounds, forward];
  };
  widget(host, controls, (values, page) => {
    const n = values.workers, last = 2 * (n - 1);
    if (values.round > last) return page.set("round", last);
    rounds.limits(last);
    rounds.set(values.round);
    const gradients = host.model.get("data").gradients.slice(0, n), sum = gradients.reduce((a, b) => a + b);
    const state = ringStates(gradients.map((gradient) => Array(n).fill(gradient)))[values.round];
    const arrived = new Set((values.round ? sentIn(n, values.round - 1) : []).map(
      ([worker, piece]) => `${(worker + 1) % n}/${piece}`));
    let complete = 0;
    const rows = state.map((row, worker) => make("tr", {}, make("th", { scope: "row" }, `worker ${worker}`),
      ...row.map((value, piece) => {
        complete += value === sum;
        const came = arrived.has(`${worker}/${piece}`);
        return make("td", { class: `k2c-piece ${value === sum ? "k2c-complete" : ""} ${came ? "k2c-arrived" : ""}` },
          `${value}`, came ? make("span", { class: "k2c-hidden" }, " (has just arrived)") : null);
      })));
    const head = make("tr", {}, make("td", {}), ...state.map((_, piece) => make("th", { scope: "col" }, `piece ${piece}`)));
    const table = make("table", { class: "k2c-ring" }, make("caption", {}, `round ${values.round} of ${last}`),
      make("thead", {}, head), make("tbody", {}, ...rows));
    page.views.replaceChildren(make("div", { class: "k2c-wide", tabindex: 0, role: "region", "aria-label": "What each worker holds" }, table),
      legend(["cell", "a sum that grows"], ["done", "a complete sum"], ["red", "has just arrived (framed)"]));
    page.say(words(n, values.round, complete));
  });
}
export default { render };
