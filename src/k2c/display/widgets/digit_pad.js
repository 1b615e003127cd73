// Paper to draw on. The strokes go to Python while the pen moves, at most once a frame.
function render({ model, el }) {
  const side = 280;
  const canvas = document.createElement("canvas");
  const ratio = window.devicePixelRatio || 1;
  canvas.width = canvas.height = side * ratio;
  canvas.className = "k2c-pad";
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "Paper to draw a digit on, with the mouse, a pen or a finger");
  canvas.style.cssText =
    `width:${side}px;height:${side}px;background:#fff;border:2px solid #767676;border-radius:6px;` +
    "touch-action:none;cursor:crosshair";
  el.append(canvas);

  const pen = canvas.getContext("2d");
  pen.scale(ratio * side, ratio * side);
  pen.lineWidth = 0.06;
  pen.lineCap = pen.lineJoin = "round";
  pen.strokeStyle = pen.fillStyle = "#222";

  let strokes = structuredClone(model.get("strokes"));
  let drawing = false;
  let waiting = false;

  // How many points there are, and how many of them the answer on show is about.
  function count() {
    canvas.dataset.points = strokes.flat().length;
    canvas.dataset.answered = model.get("answered");
  }
  function paint() {
    pen.clearRect(0, 0, 1, 1);
    for (const stroke of strokes) {
      pen.beginPath();
      pen.moveTo(...stroke[0]);
      for (const point of stroke) pen.lineTo(...point);
      pen.stroke();
    }
    count();
  }
  function send() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      model.set("strokes", structuredClone(strokes));
      model.save_changes();
    });
  }
  function place(event) {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }
  canvas.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    drawing = true;
    strokes.push([place(event)]);
    paint();
    send();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drawing) return;
    strokes.at(-1).push(place(event));
    paint();
    send();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => {
      drawing = false;
    });
  }
  model.on("change:answered", count);
  model.on("change:strokes", () => {
    if (drawing || waiting) return;
    strokes = structuredClone(model.get("strokes"));
    paint();
  });
  paint();
}
export default { render };
