/** Noise masks: 1/f noise, drawn here, the same for the same seed. */

/** Uniform numbers in [0, 1) from a 32-bit seed (mulberry32). */
export function seededNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A 32-bit number from text (FNV-1a). */
export function hashText(text) {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

function transformInPlace(re, im, offset, stride, n) {
  for (let i = 1, j = 0; i < n; i += 1) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      const [a, b] = [offset + i * stride, offset + j * stride];
      [re[a], re[b]] = [re[b], re[a]];
      [im[a], im[b]] = [im[b], im[a]];
    }
  }
  for (let size = 2; size <= n; size *= 2) {
    for (let k = 0; k < size / 2; k += 1) {
      const angle = (2 * Math.PI * k) / size;
      const [c, d] = [Math.cos(angle), Math.sin(angle)];
      for (let start = 0; start < n; start += size) {
        const a = offset + (start + k) * stride;
        const b = offset + (start + k + size / 2) * stride;
        const [x, y] = [re[b] * c - im[b] * d, re[b] * d + im[b] * c];
        [re[b], im[b]] = [re[a] - x, im[a] - y];
        [re[a], im[a]] = [re[a] + x, im[a] + y];
      }
    }
  }
}

/** Grey values 0 to 255 of a square of 1/f noise, mean mid-grey. `size` is a power of two. */
export function makeNoise(size, seed, contrast = 0.28) {
  const draw = seededNumbers(seed);
  const re = new Float64Array(size * size);
  const im = new Float64Array(size * size);
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      const frequency = Math.hypot(Math.min(x, size - x), Math.min(y, size - y));
      const phase = 2 * Math.PI * draw();
      if (frequency === 0) continue;
      re[y * size + x] = Math.cos(phase) / frequency;
      im[y * size + x] = Math.sin(phase) / frequency;
    }
  }
  for (let y = 0; y < size; y += 1) transformInPlace(re, im, y * size, 1, size);
  for (let x = 0; x < size; x += 1) transformInPlace(re, im, x, size, size);
  const spread = Math.sqrt(re.reduce((sum, value) => sum + value * value, 0) / re.length);
  return Uint8ClampedArray.from(re, (value) => 127.5 * (1 + (contrast * value) / spread));
}

/** A canvas of noise that covers `width` × `height` pixels of the screen, one value a pixel. */
export function drawNoise(width, height, seed) {
  const size = 2 ** Math.ceil(Math.log2(Math.min(1024, Math.max(width, height, 2))));
  const values = makeNoise(size, seed);
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const pen = canvas.getContext("2d");
  const picture = pen.createImageData(width, height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const value = values[(y % size) * size + (x % size)];
      picture.data.set([value, value, value, 255], 4 * (y * width + x));
    }
  }
  pen.putImageData(picture, 0, 0);
  return canvas;
}
