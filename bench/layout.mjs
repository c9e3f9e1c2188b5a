/** Orders of elements: PyTorch's NCHW, and NHWC as TensorFlow's runtimes have it. */

/** @param {Float32Array} x @param {readonly number[]} shape `[N, C, H, W]` @returns {Float32Array} */
export function nchwToNhwc(x, [images, channels, height, width]) {
  return transposed(x, images, channels, height * width);
}

/** @param {Float32Array} x @param {readonly number[]} shape `[N, C, H, W]`, PyTorch's @returns {Float32Array} */
export function nhwcToNchw(x, [images, channels, height, width]) {
  return transposed(x, images, height * width, channels);
}

/** Convolution weights `[O, I, H, W]` as `[H, W, I, O]`. @param {Float32Array} w @param {readonly number[]} shape */
export function oihwToHwio(w, [out, inputs, height, width]) {
  return transposed(transposed(w, out, inputs, height * width), 1, out, height * width * inputs);
}

/** `images` matrices of rows × columns, each transposed. @returns {Float32Array}
 * @param {Float32Array} x @param {number} images @param {number} rows @param {number} columns */
export function transposed(x, images, rows, columns) {
  const y = new Float32Array(x.length);
  for (let n = 0, to = 0; n < images; n++) {
    const image = n * rows * columns;
    for (let c = 0; c < columns; c++) for (let r = 0; r < rows; r++) y[to++] = x[image + r * columns + c];
  }
  return y;
}
