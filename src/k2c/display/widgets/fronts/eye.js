// The photograph of a synthetic eye: grade, blur, and where the lesions are, by slider.
// Its noise comes after its blur, so photographs are drawn by Python: some beforehand, all others by a kernel if there is one.

const GRADES = ["none", "mild", "moderate", "severe", "proliferative"];
const spelt = (kind) => kind.replaceAll("_", " ");

function render(host) {
  const { model } = host, known = { frames: {}, marks: {} }, data = () => model.get("data");
  const learn = () => {
    for (const part of ["frames", "marks"]) Object.assign(known[part], data()[part]);
  };
  learn();
  const controls = (page) => [
    slider(page, "eye", "Eye", { options: data().eyes }),
    slider(page, "grade", "Grade", { min: 0, max: 4 }),
    slider(page, "blur", "Blur", { options: data().blurs }),
    checkbox(page, "lesions", "Show where the lesions are"),
  ];
  model.on("change:data", learn);
  widget(host, controls, ({ eye, grade, blur, lesions }, page) => {
    const photograph = known.frames[`${eye}/${grade}/${blur}`], marks = known.marks[`${eye}/${grade}`];
    if (!photograph || !marks) return ask(model, { eye, grade, blur });
    const picture = (title) => make("img", { src: photograph, alt: title, class: "dark-light" });
    const outlines = shape("svg", { viewBox: `0 0 ${data().size} ${data().size}`, "aria-hidden": "true" });
    const outlined = lesions ? marks.paths.map(([kind, d]) => [data().colours[kind], spelt(kind), d]) : [];
    outlined.forEach(([colour, , d]) => outlines.append(shape("path", { d, class: `k2c-outline k2c-${colour}` })));
    const second = lesions ? "Where the lesions are" : "Where would you look?";
    const found = marks.counts.map(([kind, n]) => `${spelt(kind)} ${n}`).join(", ");
    const words = `Grade ${grade} (${GRADES[grade]}), blur ${general(blur)}: ${found || "no lesions"}.`;
    page.views.replaceChildren(
      figure("What the camera sees", picture(`Photograph of a synthetic eye. ${words}`)),
      figure(second, make("div", { class: "k2c-over" }, picture(`The same photograph${lesions ? ", lesions outlined" : ""}.`), outlines)),
      legend(...outlined));
    page.say(words);
  });
}
export default { render };
