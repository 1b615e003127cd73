// A network in a worker, so that the page stays alive while it computes. `IN_WORKER` is the worker's code: a page from
// the file system may start none from a file.
async function start(parts) {
  const worker = new Worker(URL.createObjectURL(new Blob([IN_WORKER], { type: "text/javascript" })));
  const ask = (...message) => new Promise((done, failed) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => { port1.close(); "error" in data ? failed(new Error(data.error)) : done(data.said); };
    worker.onerror = () => failed(new Error("This browser starts no worker in a page."));
    worker.postMessage(message, [port2]);
  });
  return { model: await ask("start", parts), answer: file => ask("answer", file) };
}

// Draw an image of as many pixels; draw(i, x, y) returns the three colours of the pixel whose first byte is i.
function picture(image, draw) {
  const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
  const pen = canvas.getContext("2d"), pixels = pen.createImageData(image.width, image.height);
  for (let i = 0; i < image.width * image.height; i++) {
    const colour = draw(3 * i, i % image.width, Math.floor(i / image.width));
    for (let c = 0; c < 3; c++) pixels.data[4 * i + c] = colour[c];
    pixels.data[4 * i + 3] = 255;
  }
  pen.putImageData(pixels, 0, 0);
  return canvas;
}
