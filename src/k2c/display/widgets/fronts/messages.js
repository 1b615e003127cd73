// A box to type a message in; its words light up by their log odds, red for spam and blue for ham.

const WORD = /[\p{L}\p{N}_]{2,}/gu; // what CountVectorizer() counts: letters, digits and underscores, two at least

export function model({ words, log_odds, start, once }) {
  const places = new Map(words.split(" ").map((word, place) => [word, place]));
  return { places, worth: unpack(log_odds), start, once };
}

// The contribution of each word of a message to its log odds, largest effect first; see `NaiveBayes.explain`.
export function explain({ places, worth, once }, message) {
  const times = new Map();
  for (const [word] of message.toLowerCase().matchAll(WORD)) {
    if (places.has(word)) times.set(word, once ? 1 : (times.get(word) ?? 0) + 1);
  }
  return [...times].sort(([a], [b]) => places.get(a) - places.get(b))
    .map(([word, count]) => [word, count * worth[places.get(word)]])
    .sort(([, a], [, b]) => Math.abs(b) - Math.abs(a));
}

function render(host) {
  const filter = model(host.model.get("data"));
  const controls = (page) => {
    const id = fresh();
    const input = make("textarea", { id, maxlength: 5000, placeholder: "Type or paste a message",
      oninput: () => page.set("message", input.value) });
    const node = make("div", { class: "k2c-message" }, make("label", { for: id }, "Message"), input);
    return [{ name: "message", node, set: (wanted) => { if (input.value !== wanted) input.value = wanted; } }];
  };
  widget(host, controls, ({ message }, page) => {
    const found = explain(filter, message), worth = new Map(found);
    const strongest = Math.max(0, ...found.map(([, value]) => Math.abs(value))) || 1;
    const parts = [];
    let position = 0;
    for (const match of message.matchAll(WORD)) {
      const value = worth.get(match[0].toLowerCase());
      parts.push(message.slice(position, match.index));
      const strength = Math.round(75 * Math.min(Math.abs(value) / strongest, 1));
      parts.push(value === undefined ? match[0] : make("span", { title: signed(value, 2),
        class: `k2c-word k2c-${value > 0 ? "red" : "blue"}`, style: `--k2c-part:${strength}%` }, match[0]));
      position = match.index + match[0].length;
    }
    parts.push(message.slice(position));
    const words = found.reduce((sum, [, value]) => sum + value, 0), total = filter.start + words;
    const card = make("div", { class: `k2c-card k2c-${total > 0 ? "red" : "blue"}` }, ...parts);
    page.views.replaceChildren(card);
    const told = found.slice(0, 12).map(([word, value]) => `${word} ${signed(value, 2)}`).join(", ");
    const verdict = `start ${signed(filter.start, 1)}, words ${signed(words, 1)}: log odds ${signed(total, 1)}, so `
      + (total > 0 ? "spam" : "ham");
    page.say([verdict, told].filter(Boolean).join("\n"));
  });
}
export default { render };
