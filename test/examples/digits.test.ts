/** The embedded network: PyTorch's answers on the sample scene, and its quality on scenes that it wasn't trained on. */

import { readFileSync } from 'node:fs';
import { imageFromRgb, loadSafetensors, readSafetensors, semanticSegmentation, type Tensor } from 'layertap';
import sharp from 'sharp';
import { expect, it } from 'vitest';
import { heatmaps } from '../../cli/src/heatmap.js';
import { argmax, encodeMask } from '../../cli/src/mask.js';
import { CLASSES, digitsNetwork } from '../../examples/digits/network.mjs';

const read = (file: string) => readFileSync(new URL(`../../examples/digits/${file}`, import.meta.url));

function network() {
  const model = digitsNetwork();
  model.loadStateDict(loadSafetensors(read('weights.safetensors')) as never);
  return model;
}

/** Every `step`-th row and column of `[1, C, H, W]`. */
function sampled({ data, shape }: Tensor<Float32Array>, step: number): number[] {
  const [, channels, height, width] = shape as unknown as [number, number, number, number];
  const out: number[] = [];
  for (let c = 0; c < channels; c++)
    for (let y = 0; y < height; y += step)
      for (let x = 0; x < width; x += step) out.push(data[(c * height + y) * width + x]!);
  return out;
}

it("gives PyTorch's features, logits and classes on the sample scene", async () => {
  const { data, info } = await sharp(read('scene.png')).raw().toBuffer({ resolveWithObject: true });
  const x = semanticSegmentation(imageFromRgb(data, info.width, info.height), { resizeSize: null });
  const goldens = loadSafetensors(read('golden.safetensors'));
  const model = network();
  const scores = model.call(x as never) as unknown as Map<string, Tensor<Float32Array>>;
  const features = model.backbone.call(x as never) as unknown as Map<string, Tensor<Float32Array>>;
  for (const name of ['out', 'aux']) {
    for (const [golden, actual, step] of [
      [goldens.get(`logits_${name}`)!, scores.get(name)!, 5],
      [goldens.get(`feature_${name}`)!, features.get(name)!, 3],
    ] as const) {
      const expected = golden.float().data;
      const largest = expected.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
      const values = sampled(actual, step);
      expect(values.length).toBe(expected.length);
      const worst = values.reduce((max, v, i) => Math.max(max, Math.abs(v - expected[i]!)), 0);
      expect(worst / largest).toBeLessThan(1e-4);
    }
  }
  expect([...argmax(scores.get('out')! as never).data]).toEqual([...(goldens.get('argmax')!.data as Uint8Array)]);
});

it("gives the README's pictures: node examples/digits/main.mjs docs/digits", async () => {
  const { data, info } = await sharp(read('scene.png')).raw().toBuffer({ resolveWithObject: true });
  const x = semanticSegmentation(imageFromRgb(data, info.width, info.height), { resizeSize: null });
  const model = network();
  const pixels = (png: Uint8Array | string) => sharp(png).toColourspace('srgb').removeAlpha().raw().toBuffer();
  const differences = async (name: string, png: Uint8Array) => {
    const [committed, drawn] = [await pixels(`docs/digits/${name}.png`), await pixels(png)];
    expect(committed.length).toBe(3 * info.width * info.height);
    return committed.reduce((most, byte, i) => Math.max(most, Math.abs(byte - drawn[i]!)), 0);
  };
  const scores = model.call(x as never) as unknown as Map<string, Tensor<Float32Array>>;
  expect(await differences('mask', await encodeMask(argmax(scores.get('out')! as never)))).toBe(0);
  const features = model.backbone.call(x as never) as unknown as Map<string, Tensor<Float32Array>>;
  for (const [name, feature] of features) {
    // A binary's last bits may move a value to the next of 256 shades, which are at most 5 apart in each of their
    // colours.
    const [map] = await heatmaps(feature as never, info);
    expect(await differences(name, map!.png)).toBeLessThanOrEqual(5);
  }
});

it('has a mean IoU of at least 0.85 on held-out scenes', () => {
  const file = readSafetensors(read('held-out.safetensors'));
  const [images, masks] = [file.get('images'), file.get('masks')];
  const [count, , height, width] = images.shape as unknown as [number, number, number, number];
  const plane = height * width;
  const model = network();
  const both = new Float64Array(CLASSES.length);
  const either = new Float64Array(CLASSES.length);
  for (let n = 0; n < count; n++) {
    const rgb = new Uint8Array(3 * plane);
    for (let i = 0; i < plane; i++) {
      for (let c = 0; c < 3; c++) rgb[i * 3 + c] = images.data[(n * 3 + c) * plane + i] as number;
    }
    const x = semanticSegmentation(imageFromRgb(rgb, width, height), { resizeSize: null });
    const { data } = argmax((model.call(x as never) as unknown as Map<string, never>).get('out')!);
    for (let i = 0; i < plane; i++) {
      const [actual, truth] = [data[i]!, masks.data[n * plane + i] as number];
      if (actual === truth) both[truth]!++;
      either[truth]!++;
      if (actual !== truth) either[actual]!++;
    }
  }
  const mean = both.reduce((sum, hits, c) => sum + hits / either[c]! / CLASSES.length, 0);
  expect(mean).toBeGreaterThanOrEqual(0.85);
  expect(mean).toBeCloseTo(Number(file.metadata.get('mean_iou')), 3);
});
