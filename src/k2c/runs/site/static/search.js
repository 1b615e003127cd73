// Search over sections: BM25 (Robertson and Zaragoza, 2009) with more weight for headings and for terms in italics,
// which are those that a section introduces.
const k2cSearch = (() => {
  const WEIGHTS = { title: 8, terms: 6, page: 2, text: 1, code: 0.2 }, K = 1.5, B = 0.7, MOST = 30, AROUND = 110;
  // What names everything explains nothing; an exercise uses what its section explains.
  const FACTORS = [[/^(Sources|Summary|The package.s functions in this lecture)$/, 0.3], [/^(Exercise|Check|Problem)\b/, 0.75]];
  const OUTSIDE = 0.7; // of the lectures: the glossary and other pages
  const WORD = /[\p{L}\p{N}]+(?:[-_.'’][\p{L}\p{N}]+)*/gu, stemmer = new Stemmer(), stems = new Map();

  function stem(word) {
    if (!stems.has(word)) stems.set(word, stemmer.stemWord(word));
    return stems.get(word);
  }
  // work-group, work_group and workgroup are one word; its parts count, too.
  function forms(word) {
    const parts = word.toLowerCase().split(/[-_.'’]/);
    return [stem(parts.join("")), ...(parts.length > 1 ? parts.filter((part) => part.length > 2).map(stem) : [])];
  }
  const asked = (query) => [...new Set((query.match(WORD) ?? []).map((word) => forms(word)[0]))];
  const pairs = (words) => words.slice(1).map((word, i) => `${words[i]} ${word}`);

  function prepare({ pages, sections }) {
    const known = sections.map(([number, anchor, title, text, code, terms]) => {
      const [url, page, kind] = pages[number], counts = new Map();
      let length = 0;
      for (const [field, said] of Object.entries({ title, terms, page: anchor ? page : "", text, code })) {
        const words = (said.match(WORD) ?? []).map(forms), all = [...words.flat(), ...pairs(words.map(([first]) => first))];
        for (const form of all) counts.set(form, (counts.get(form) ?? 0) + WEIGHTS[field]);
        if (field === "text") length = words.length;
      }
      return { url: anchor ? `${url}#${anchor}` : url, page, kind, title: anchor ? title : page, text, code, counts, length };
    });
    const mean = known.reduce((sum, { length }) => sum + length, 0) / known.length, having = new Map();
    for (const { counts } of known) for (const form of counts.keys()) having.set(form, (having.get(form) ?? 0) + 1);
    const rarity = (form) => Math.log(1 + (known.length - having.get(form) + 0.5) / (having.get(form) + 0.5));
    return { known, mean, having, rarity };
  }

  let index;
  function find(query) {
    index ??= prepare(k2cPages);
    const words = asked(query), found = [];
    for (const section of index.known) {
      let score = 0;
      const hits = words.filter((word) => section.counts.has(word)).length;
      for (const word of [...words, ...pairs(words)]) {
        const count = section.counts.get(word) ?? 0;
        if (count) score += (index.rarity(word) * count) / (count + K * (1 - B + (B * section.length) / index.mean));
      }
      for (const [title, factor] of FACTORS) if (title.test(section.title)) score *= factor;
      if (section.kind !== "lecture") score *= OUTSIDE;
      if (hits) found.push({ ...section, score: score * (hits / words.length) ** 2 });
    }
    const apart = (one) => one.kind === "reference"; // below the lectures, whatever its score
    return found.sort((a, b) => apart(a) - apart(b) || b.score - a.score);
  }

  // The part of a text that has most of the words, as pieces: [text, whether it is a word that was asked for].
  function excerpt(text, words) {
    const hits = [...text.matchAll(WORD)].filter(([word]) => forms(word).some((form) => words.includes(form)));
    const within = (from) => new Set(hits.filter(({ index: at }) => at >= from && at < from + 2 * AROUND)
      .map(([word]) => forms(word)[0])).size;
    const best = hits.reduce((most, hit) => (within(hit.index) > (most ? within(most.index) : 0) ? hit : most), null);
    let from = Math.max(0, (best?.index ?? 0) - AROUND), to = Math.min(text.length, from + 3 * AROUND);
    if (from > 0) from = text.indexOf(" ", from) + 1;
    if (to < text.length) to = text.lastIndexOf(" ", to);
    const pieces = [];
    let at = from;
    for (const hit of hits.filter((each) => each.index >= from && each.index + each[0].length <= to)) {
      pieces.push([text.slice(at, hit.index), false], [hit[0], true]);
      at = hit.index + hit[0].length;
    }
    pieces.push([text.slice(at, to), false]);
    return [[from > 0 ? "… " : "", false], ...pieces, [to < text.length ? " …" : "", false]];
  }
  return { find, excerpt, asked, MOST };
})();

addEventListener("DOMContentLoaded", () => {
  const place = document.getElementById("search-results"), input = document.querySelector(".bd-search-container input[type=search]");
  const make = (tag, properties, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children); // text stays text
    return made;
  };
  function marked(text, code, words) {
    const [prose, lines] = [text, code].map((said) => k2cSearch.excerpt(said, words)), hit = (pieces) => pieces.some(([, is]) => is);
    return (hit(prose) || !hit(lines) ? prose : lines).map(([piece, is]) => (is ? make("mark", {}, piece) : piece));
  }
  const entry = ({ url, page, title, text, code }, words) => make("li", {}, make("a", { href: url }, title),
    ...(title === page ? [] : [make("span", { className: "where" }, page)]), make("p", {}, ...marked(text, code, words)));
  function show(query) {
    const found = k2cSearch.find(query), words = k2cSearch.asked(query), parts = [];
    for (const [heading, there] of [["Lectures and pages", (one) => one.kind !== "reference"], ["API reference", (one) => one.kind === "reference"]]) {
      const these = found.filter(there);
      if (!these.length) continue;
      const number = these.length > k2cSearch.MOST ? `the first ${k2cSearch.MOST} of ${these.length}` : `${these.length}`;
      parts.push(make("h2", {}, `${heading} (${number})`), make("ol", { className: "found" }, ...these.slice(0, k2cSearch.MOST).map((one) => entry(one, words))));
    }
    const none = words.length ? "No section has any of these words." : "Type a word or several.";
    place.replaceChildren(...(parts.length ? parts : [make("p", {}, none)]));
  }
  place.setAttribute("aria-live", "polite");
  input.value = new URLSearchParams(location.search).get("q") ?? "";
  input.addEventListener("input", () => show(input.value));
  show(input.value);
});
