// From an image file to the square that a network reads, as k2c.models.square_of makes it in Python. The resampling is
// Pillow's, to the last bit: fixed-point weights, rounded to 8 bits after each direction.
const FILTERS = {
  bicubic: [2, x => (x = Math.abs(x), x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0)],
  bilinear: [1, x => Math.max(0, 1 - Math.abs(x))],
};
const ONE = 1 << 22;

const half = x => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x)); // Python rounds halves to even

// An image is {data, width, height}, three bytes a pixel.
async function readImage(blob) {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", imageOrientation: "from-image" })
    .catch(() => { throw new Error("It is no image that this browser reads: choose a JPEG, PNG or WebP file."); });
  const { width, height } = bitmap;
  const pen = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  pen.fillStyle = "white"; // what is transparent shows white
  pen.fillRect(0, 0, width, height);
  pen.drawImage(bitmap, 0, 0);
  const four = pen.getImageData(0, 0, width, height).data;
  const data = new Uint8Array(3 * width * height);
  for (let i = 0, j = 0; i < four.length; i += 4) {
    data[j++] = four[i]; data[j++] = four[i + 1]; data[j++] = four[i + 2];
  }
  return { data, width, height };
}

function weightsOf(before, after, interpolation) {
  const [support, filter] = FILTERS[interpolation];
  const scale = before / after, wide = Math.max(scale, 1), reach = support * wide;
  return Array.from({ length: after }, (_, place) => {
    const centre = (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const end = Math.min(before, Math.trunc(centre + reach + 0.5));
    const weights = Array.from({ length: end - first }, (_, x) => filter((x + first - centre + 0.5) / wide));
    const sum = weights.reduce((a, b) => a + b, 0);
    return [first, weights.map(w => Math.trunc((w / sum) * ONE + (w < 0 ? -0.5 : 0.5)))];
  });
}

// Resize along one direction: `lines` rows (or columns) of pixels that lie `step` bytes apart.
function along(data, lines, lineStep, before, step, after, outLineStep, outStep, interpolation, out) {
  weightsOf(before, after, interpolation).forEach(([first, weights], place) => {
    for (let line = 0; line < lines; line++) {
      for (let colour = 0; colour < 3; colour++) {
        let sum = ONE / 2;
        let at = line * lineStep + first * step + colour;
        for (const weight of weights) { sum += data[at] * weight; at += step; }
        out[line * outLineStep + place * outStep + colour] = Math.max(0, Math.min(255, Math.floor(sum / ONE)));
      }
    }
  });
  return out;
}

function resize({ data, width, height }, toWidth, toHeight, interpolation) {
  if (width !== toWidth) {
    const out = new Uint8Array(3 * toWidth * height);
    data = along(data, height, 3 * width, width, 3, toWidth, 3 * toWidth, 3, interpolation, out);
  }
  if (height !== toHeight) {
    const out = new Uint8Array(3 * toWidth * toHeight);
    data = along(data, toWidth, 3, height, 3 * toWidth, toHeight, 3, 3 * toWidth, interpolation, out);
  }
  return { data, width: toWidth, height: toHeight };
}

// What lies outside is black.
function cut({ data, width, height }, left, top, toWidth, toHeight) {
  const out = new Uint8Array(3 * toWidth * toHeight);
  for (let y = Math.max(0, -top); y < Math.min(toHeight, height - top); y++) {
    const from = Math.max(0, left), to = Math.min(width, left + toWidth);
    const row = 3 * (y + top) * width;
    out.set(data.subarray(row + 3 * from, row + 3 * to), 3 * (y * toWidth + from - left));
  }
  return { data: out, width: toWidth, height: toHeight };
}

function middle(image, { size, resize: shorter, interpolation }) {
  const most = 30 * Math.min(image.width, image.height);
  const [left, top] = [image.width, image.height].map(side => Math.floor(Math.max(0, side - most) / 2));
  if (left || top) image = cut(image, left, top, image.width - 2 * left, image.height - 2 * top);
  const least = Math.min(image.width, image.height);
  const sides = [image.width, image.height].map(side => Math.max(shorter, Math.trunc((shorter * side) / least)));
  const [x, y] = sides.map(side => half((side - size) / 2));
  return cut(resize(image, sides[0], sides[1], interpolation), x, y, size, size);
}

function grey({ data, width, height }) {
  const out = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i += 3) {
    out.fill((data[i] * 19595 + data[i + 1] * 38470 + data[i + 2] * 7471 + 32768) >> 16, i, i + 3);
  }
  return { data: out, width, height };
}

// The mean of boxes of `step` pixels a side.
function shrunk({ data, width, height }, step) {
  const across = Math.ceil(width / step), down = Math.ceil(height / step);
  const out = new Uint8Array(3 * across * down);
  for (let y = 0; y < down; y++) for (let x = 0; x < across; x++) for (let colour = 0; colour < 3; colour++) {
    const right = Math.min(width, (x + 1) * step), bottom = Math.min(height, (y + 1) * step);
    let sum = 0;
    for (let v = y * step; v < bottom; v++) for (let u = x * step; u < right; u++) sum += data[3 * (v * width + u) + colour];
    const n = (right - x * step) * (bottom - y * step);
    out[3 * (y * across + x) + colour] = Math.floor((sum + Math.floor(n / 2)) / n);
  }
  return { data: out, width: across, height: down };
}

function blurred({ data, width, height }) {
  const pass = (from, count, step) => from.map((_, i) => {
    const place = Math.floor(i / step) % count;
    const before = place ? from[i - step] : from[i], after = place < count - 1 ? from[i + step] : from[i];
    return Math.floor((before + from[i] + after) / 3 + 0.5);
  });
  return { data: pass(pass(data, width, 3), height, 3 * width), width, height };
}

const median = values => {
  const sorted = Float64Array.from(values).sort(), n = sorted.length;
  return (sorted[(n - 1) >> 1] + sorted[n >> 1]) / 2;
};

// The largest connected part of a mask: its pixels, or none.
function largestPart(mask, width) {
  const seen = new Uint8Array(mask.length);
  let largest = [];
  for (let start = 0; start < mask.length; start++) {
    if (!mask[start] || seen[start]) continue;
    const part = [start];
    seen[start] = 1;
    for (let i = 0; i < part.length; i++) {
      const at = part[i], x = at % width;
      for (const next of [x ? at - 1 : -1, x < width - 1 ? at + 1 : -1, at - width, at + width]) {
        if (mask[next] && !seen[next]) { seen[next] = 1; part.push(next); }
      }
    }
    if (part.length > largest.length) largest = part;
  }
  return largest;
}

// As k2c.datasets.crop_to_eye: the box around what has not the brightness of the corners, filled up to a square.
function eye(image) {
  const step = Math.max(1, half(Math.max(image.width, image.height) / 200));
  const { data, width, height } = blurred(shrunk(image, step));
  const lightest = Array.from({ length: width * height }, (_, i) => Math.max(data[3 * i], data[3 * i + 1], data[3 * i + 2]));
  const patch = Math.max(2, Math.floor(Math.min(width, height) / 25));
  const corners = lightest.filter((_, i) => {
    const x = i % width, y = Math.floor(i / width);
    return (x < patch || x >= width - patch) && (y < patch || y >= height - patch);
  });
  const surround = median(corners);
  let part = [];
  if ((surround <= 40 || surround >= 230) && median(corners.map(v => Math.abs(v - surround))) <= 8) {
    const contrast = lightest.map(v => Math.abs(v - surround));
    const sorted = Float64Array.from(contrast).sort(), place = 0.95 * (sorted.length - 1), low = Math.floor(place);
    const high = sorted[low] + (place - low) * (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]);
    const least = Math.min(25, Math.max(5, 0.1 * high));
    part = largestPart(contrast.map(v => v > least), width);
  }
  let box = [0, 0, image.width, image.height];
  if (part.length > 0.05 * width * height) {
    const range = (values, most) => [values.reduce((a, b) => Math.min(a, b)) * step,
      Math.min(most, (values.reduce((a, b) => Math.max(a, b)) + 1) * step)];
    const [left, right] = range(part.map(i => i % width), image.width);
    const [top, bottom] = range(part.map(i => Math.floor(i / width)), image.height);
    box = [left, top, right - left, bottom - top];
  }
  const side = Math.max(box[2], box[3]);
  const [x, y] = [box[2], box[3]].map(length => Math.floor((side - length) / 2));
  const seen = cut(image, ...box);
  return side === box[2] && side === box[3] ? seen : cut(seen, -x, -y, side, side);
}

function squareOf(image, kind, preprocessing) {
  const { size, interpolation } = preprocessing;
  if (kind === "photograph") return middle(image, preprocessing);
  return resize(kind === "film" ? grey(image) : eye(image), size, size, interpolation);
}
