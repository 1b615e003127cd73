// The course's widgets on a page without a kernel: each is an anywidget module, and this is its host.
(() => {
  const root = document.documentElement.dataset.content_root ?? "./", loading = {};
  const modules = {}, places = () => document.querySelectorAll(".k2c-live");
  let sources = {};

  // A classic script: a page from the file system may load no other.
  const load = (file) => (loading[file] ??= new Promise((done, failed) => {
    const script = Object.assign(document.createElement("script"), { src: `${root}${file}.js`, onload: done,
      onerror: () => { delete loading[file]; failed(new Error(`${file}.js is missing`)); } });
    document.head.append(script);
  }));
  function modelOf({ data, values }) {
    const state = { data, values, error: "", kernel: false, asked: {}, answered: 0 }, listeners = {};
    return {
      get: (name) => state[name],
      set(name, value) {
        state[name] = value;
        for (const act of listeners[`change:${name}`] ?? []) act();
      },
      save_changes() {},
      send() {},
      on(event, act) { (listeners[event] ??= []).push(act); },
      off(event, act) { listeners[event] = (listeners[event] ?? []).filter((each) => act && each !== act); },
    };
  }
  function module(front) {
    return (modules[front] ??= import(URL.createObjectURL(new Blob([sources[front]], { type: "text/javascript" }))));
  }
  // A network of the page "Models", for images of one's own: { model, answer }.
  async function network(name) {
    const part = (file) => load(`models/${file}`).catch(() => {
      throw new Error("The network's files are not beside this page: the site was built without them. "
        + "Build it with k2c site --models, or choose a photograph of your own in the lecture's notebook.");
    });
    await part("runtime");
    await part(name); // says what else it needs
    await Promise.all(k2cParts.shared.map(part));
    return { ...(await k2cNetwork.start(k2cParts)), picture: k2cNetwork.picture };
  }
  window.k2cLive = {
    fronts(found, style) {
      sources = found;
      document.head.append(Object.assign(document.createElement("style"), { textContent: style }));
    },
    module,
    async show(name, live) {
      const place = [...places()].find((each) => each.dataset.widget === name), el = document.createElement("div");
      const { render } = (await module(live.front)).default;
      place.append(el);
      await render({ model: modelOf(live), el, network });
      place.querySelector(".k2c-still")?.remove();
      const note = Object.assign(document.createElement("p"), { className: "k2c-note",
        textContent: "Live: it runs in this page, without a kernel and without the network." });
      place.append(note);
      place.dataset.live = "yes";
    },
  };
  addEventListener("load", () => {
    const watch = new IntersectionObserver((entries) => {
      for (const { target } of entries.filter((entry) => entry.isIntersecting)) {
        watch.unobserve(target);
        load("live/fronts").then(() => load(`live/${target.dataset.widget}`));
      }
    }, { rootMargin: "900px" });
    places().forEach((place) => watch.observe(place));
  });
})();
