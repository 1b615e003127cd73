// What runs in the worker (see network.js): ONNX Runtime and the model are unpacked and started, and asked about images.
async function unpacked(base64) {
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// `about` is JSON, the others are bytes, packed; `shared` names those that are weights of several models.
async function start({ about, runtime, onnx, shared = [], ...others }) {
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = (await unpacked(runtime)).buffer;
  const externalData = await Promise.all(shared.map(async path => ({ path, data: await unpacked(others[path]) })));
  const session = await ort.InferenceSession.create(await unpacked(onnx), { externalData });
  const model = JSON.parse(about), { size } = model.preprocessing;

  async function answer(blob) {
    const square = squareOf(await readImage(blob), model.kind, model.preprocessing);
    const said = await session.run({ images: new ort.Tensor("uint8", square.data, [1, size, size, 3]) });
    const [, , high, wide] = said.maps.dims, top = Array.from(said.top.data, Number);
    const maps = top.map((_, i) => said.maps.data.slice(i * high * wide, (i + 1) * high * wide));
    return { probabilities: said.probabilities.data, top, maps, high, wide, square };
  }
  return { model, answer };
}

// A message is a question, and what it needs; the answer goes to the port that came with it.
let network;
onmessage = async ({ data: [question, given], ports: [port] }) => {
  try {
    port.postMessage({ said: question === "start" ? (network = await start(given)).model : await network.answer(given) });
  } catch (error) {
    port.postMessage({ error: error.message });
  }
};
