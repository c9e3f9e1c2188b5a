/**
 * Networks and values for probe.mjs, without files: each element is a function of its key and index, by whole numbers
 * and square roots alone, so it has the same bits in every engine. The generator is test/support/generator.ts', the
 * goldens' weights are its.
 */

/**
 * Numbers in [0, 1) that belong to a key. @param {string} key @param {number} count @param {(u: number) => number}
 * toValue
 */
function spread(key, count, toValue) {
  let seed = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(key)) seed = Math.imul(seed ^ byte, 0x01000193);
  return Float32Array.from({ length: count }, (_, i) => {
    let h = (seed + Math.imul(i, 0x9e3779b9)) | 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return toValue(((h ^ (h >>> 16)) >>> 8) * 2 ** -24);
  });
}

const product = (sizes) => sizes.reduce((n, size) => n * size, 1);

/** A tensor of values in ±scale. */
export function generatedTensor({ Tensor }, key, shape, scale = 2) {
  return new Tensor(
    spread(key, product(shape), (u) => (2 * u - 1) * scale),
    shape,
  );
}

/** Entries of a state dict: Kaiming-uniform weights, and statistics far from 0 and 1. */
export function fill(layertap, shapes) {
  return [...shapes]
    .filter(([key]) => !key.endsWith('num_batches_tracked'))
    .map(([key, shape]) => {
      const name = key.slice(key.lastIndexOf('.') + 1);
      const between = (low, high) =>
        new layertap.Tensor(
          spread(key, product(shape), (u) => low + (high - low) * u),
          shape,
        );
      if (shape.length >= 2)
        return [key, generatedTensor(layertap, key, shape, Math.sqrt(6 / product(shape.slice(1))))];
      if (name === 'running_mean') return [key, generatedTensor(layertap, key, shape, 0.2)];
      if (name === 'bias') return [key, generatedTensor(layertap, key, shape, 0.1)];
      return [key, name === 'running_var' ? between(0.25, 4) : between(0.5, 1.5)];
    });
}

/**
 * A network of every algorithm and activation, at odd sizes: a stem, Winograd's convolutions, a residual, dilation
 * beyond the image's edge, groups, a depthwise convolution with squeeze and excitation, pooling, resizing,
 * concatenation, a classifier.
 */
export function everyKernel(layertap) {
  const { AdaptiveAvgPool2d, AvgPool2d, BatchNorm2d, Conv2d, Hardsigmoid, Hardswish, Linear, MaxPool2d } = layertap;
  const { Module, Sequential, Sigmoid, SiLU, Upsample, add, cat, functional, relu } = layertap;

  const normed = (from, to, kernelSize, options) =>
    new Sequential(new Conv2d(from, to, kernelSize, { bias: false, ...options }), new BatchNorm2d(to));

  class EveryKernel extends Module {
    stem = normed(3, 16, 7, { stride: 2, padding: 3 });
    maxpool = new MaxPool2d(3, { stride: 2, padding: 1, ceilMode: true });
    wide = normed(16, 64, 3, { padding: 1 });
    same = normed(64, 64, 3, { padding: 1 });
    small = new Conv2d(64, 13, 3, { padding: 1 });
    dilated = new Conv2d(64, 64, 3, { padding: 17, dilation: 17 });
    far = new Conv2d(64, 64, 3, { padding: [20, 13], dilation: [20, 13] });
    strided = normed(64, 72, 3, { stride: 2, padding: 1 });
    halved = new Sequential(new Conv2d(64, 128, 1), new Conv2d(128, 256, 3, { stride: 2, padding: 1 }));
    grouped = new Conv2d(72, 72, 3, { padding: 1, groups: 6 });
    depthwise = normed(72, 72, 5, { padding: 2, groups: 72 });
    hardswish = new Hardswish();
    pooled = new AdaptiveAvgPool2d(1);
    squeeze = new Conv2d(72, 19, 1);
    excite = new Conv2d(19, 72, 1);
    hardsigmoid = new Hardsigmoid();
    average = new AvgPool2d(3, { stride: 2, padding: 1 });
    silu = new SiLU();
    upsample = new Upsample({ size: [21, 17], mode: 'bilinear' });
    tenths = new AdaptiveAvgPool2d(10);
    least = new Conv2d(72, 72, 3, { padding: 1 });
    windows = new AdaptiveAvgPool2d(6);
    tiny = new Conv2d(72, 64, 3, { padding: 1 });
    classifier = new Linear(64 * 36, 11);
    sigmoid = new Sigmoid();

    forward(x) {
      const stem = this.maxpool.call(relu(this.stem.call(x)));
      const wide = relu(this.wide.call(stem));
      const same = relu(add(this.same.call(wide), wide));
      const dilated = this.far.call(this.dilated.call(same));
      const both = cat([this.small.call(same), dilated]);
      const halved = this.halved.call(same);
      const strided = this.hardswish.call(this.strided.call(dilated));
      const grouped = this.silu.call(this.grouped.call(strided));
      const depthwise = this.hardswish.call(this.depthwise.call(grouped));
      const gate = this.hardsigmoid.call(this.excite.call(relu(this.squeeze.call(this.pooled.call(depthwise)))));
      const gated = functional.mul(depthwise, gate);
      const resized = this.upsample.call(this.average.call(gated));
      const tiny = this.tiny.call(this.windows.call(this.least.call(this.tenths.call(gated))));
      const scores = this.sigmoid.call(this.classifier.call(functional.flatten(tiny)));
      return new Map(Object.entries({ stem, same, both, halved, grouped, gated, resized, scores }));
    }
  }

  const network = new EveryKernel();
  network.loadStateDict(fill(layertap, network.stateShapes()), { strict: false });
  return network;
}

/**
 * Two images of odd sizes: one of ordinary values, one with NaNs of several bits, infinities, zeros of both signs and
 * denormals.
 */
export function oddInput(layertap) {
  const shape = [2, 3, 131, 97];
  const x = generatedTensor(layertap, 'odd', shape);
  const second = x.data.length / 2;
  const words = new Uint32Array(x.data.buffer);
  const odd = [0x7fc00001, 0xffc00000, 0x7f800001, 0xff812345, 0x7f800000, 0xff800000, 0x80000000, 0, 1, 0x807fffff];
  odd.forEach((word, i) => {
    for (let k = 0; k < 3; k++) words[second + (i * 7 + k) * 131 + i * 5 + k] = word;
  });
  return x;
}
