/** How many of the input's rows a feature's rows stand for, whatever comes between: by featureInfo and featuresOnly. */

import { describe, expect, it } from 'vitest';
import { createFeatureExtractor } from '../../src/features/feature-extractor.ts';
import { featuresOnly } from '../../src/features/features-only.ts';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import type { Value } from '../../src/graph/graph.ts';
import * as L from '../../src/index.ts';

const strided = (stride: number, channels = 4, more: object = {}) =>
  new L.Conv2d(channels, 4, 3, { stride, padding: 1, ...more });

/** A function as a layer. */
class Fn extends L.Module {
  readonly run: (x: Value) => Value;
  constructor(run: (x: Value) => Value) {
    super();
    this.run = run;
  }
  forward(x: Value): Value {
    return this.run(x);
  }
}

/** A stride of 8, and then a function. */
class Net extends L.Module {
  readonly stem = new L.Conv2d(3, 4, 9, { stride: 8, padding: 4 });
  readonly fn: Fn;
  readonly up = new L.ConvTranspose2d(4, 4, 3, { stride: 2 });
  readonly linear = new L.Linear(4, 9);
  readonly four = new L.Linear(4, 4);
  readonly conv1d = new L.Conv1d(4, 9, 3, { padding: 1 });
  readonly decode = new L.Linear(4 * 13 * 8, 9 * 13 * 8);
  readonly judge = new L.Linear(4 * 13 * 8, 4);
  readonly paint = new L.Linear(4, 13 * 8);
  readonly tokens = new L.Parameter([1, 4, 300], { fill: 1 });
  readonly column = new L.Parameter([4, 13, 1], { fill: 1 });
  readonly few = new L.Parameter([2, 13], { fill: 1 });
  constructor(run: (x: Value, net: Net) => Value) {
    super();
    this.fn = new Fn((x) => run(x, this));
  }
  forward(x: Value): Value {
    return this.fn.call(this.stem.call(x));
  }
}

/** Factors of channels, by a linear layer. */
const gate = ({ four }: Net, x: Value, mean: Value) =>
  L.reshape(L.sigmoid(four.call(mean)), [...x.shape.slice(0, 2), 1, 1]);

/** The reductions of all layers of a row. */
const reductions = (layers: readonly L.Module<any>[], shape: readonly number[]) =>
  new IntermediateLayerGetter(
    new L.Sequential(...layers),
    layers.map((_, i) => [String(i), i] as const),
    { onWarning: null },
  )
    .featureInfo(shape)
    .map(({ reduction }) => reduction);

describe('padding by itself', () => {
  const modes = ['zeros', 'reflect', 'replicate', 'circular'] as const;
  it.each(modes)('of mode %s changes no reduction', (paddingMode) => {
    const layers = [2, 1, 1, 2, 1, 1, 2, 1, 1, 1, 2, 1, 1].map((stride, i) =>
      strided(stride, i === 0 ? 3 : 4, { paddingMode }),
    );
    const expected = [2, 2, 2, 4, 4, 4, 8, 8, 8, 8, 16, 16, 16];
    for (const size of [64, 61, 33, 47]) expect(reductions(layers, [1, 3, size, 50])).toEqual(expected);
    const { featureInfo } = featuresOnly(new L.Sequential(...layers), { inputShape: [1, 3, 64, 64] });
    expect(featureInfo.getDicts().map(({ module, reduction }) => [module, reduction])).toEqual([
      ['2', 2],
      ['5', 4],
      ['9', 8],
      ['12', 16],
    ]);
  });

  it.each([
    ['ZeroPad2d', () => new L.ZeroPad2d(1)],
    ['ReflectionPad2d', () => new L.ReflectionPad2d(1)],
    ['pad', () => new Fn((x) => L.pad(x, [1, 1, 1, 1]))],
  ] as const)('by %s changes no reduction', (_name, padding) => {
    const of = (stride: number, channels = 4) => new L.Conv2d(channels, 4, 3, { stride });
    const layers = [padding(), of(2, 3), padding(), of(2), padding(), of(1), padding(), of(1), padding(), of(2)];
    expect(reductions(layers, [1, 3, 32, 32])).toEqual([1, 2, 2, 4, 4, 4, 4, 4, 4, 8]);
  });
});

describe('what changes rows', () => {
  const crop = L.customOp({
    name: 'crop',
    inferShape: ([x]) => [x![0]!, x![1]!, x![2]! - 2, x![3]!],
    compute: ([x]) => new Float32Array(x!.numel() - 2 * x!.shape[0]! * x!.shape[1]! * x!.shape[3]!),
  });
  const other = (x: Value, size: number) => L.interpolate(x, { size: [size, 9] });
  const twice = (x: Value) => L.interpolate(x, { scaleFactor: 2 });
  // At 1/8 of 97 rows there are 13, and at 1/4 there are 25.
  it.each<readonly [name: string, run: (x: Value, net: Net) => Value, expected: number]>([
    ['a crop by padding', (x) => L.pad(x, [0, 0, -2, -1]), 8],
    ['a slice', (x) => L.slice(x, 2, 1, -2), 8],
    ['every other row', (x) => L.slice(x, 2, 0, Infinity, 2), 16],
    ['every other column', (x) => L.slice(x, 3, 0, Infinity, 2), 8],
    ['chunks', (x) => L.chunk(x, 3, 2)[1]!, 8],
    ['cat along rows', (x) => L.cat([x, x], 2), 8],
    ['stack before rows', (x) => L.stack([x, x], 2), 8],
    ['stack along images', (x) => L.stack([x, x]), 8],
    ['a factor', twice, 4],
    ['a factor of 1.5', (x) => L.interpolate(x, { scaleFactor: 1.5, mode: 'bilinear' }), 5],
    ['bicubic', (x) => L.interpolate(x, { scaleFactor: 2, mode: 'bicubic' }), 4],
    ['the size of another layer', (x) => other(x, 25), 4],
    ['the size of a smaller one', (x) => other(x, 7), 16],
    ['another size', (x) => other(x, 39), 3],
    ['pixel shuffle', (x) => L.pixelShuffle(x, 2), 4],
    ['pixel unshuffle', (x) => L.pixelUnshuffle(L.pad(x, [1, 1, 1, 0]), 2), 16],
    ...[2, 3, 4, 5, 6].map(
      (bins) =>
        [`a map pooled to ${bins} rows, and back`, (x: Value) => other(L.adaptiveAvgPool2d(x, bins), 13), 8] as const,
    ),
    ['the largest of 3 rows, and back', (x) => other(L.adaptiveMaxPool2d(x, 3), 13), 8],
    ['a transposed convolution', (x, { up }) => up.call(x), 4],
    ['[N, H, W, C]', (x) => L.permute(x, [0, 2, 3, 1]), 8],
    ['[N, H, W, C] and a half', (x) => L.slice(L.permute(x, [0, 2, 3, 1]), 1, 0, Infinity, 2), 16],
    ['rows and columns exchanged', (x) => L.transpose(x, 2, 3), 8],
    ['a linear layer', (x, { linear }) => linear.call(L.permute(x, [0, 2, 3, 1])), 8],
    ['the mean over channels', (x) => L.mean(x, 1), 8],
    ['the mean over columns', (x) => L.mean(x, 3), 8],
    ['the mean of all pixels', (x) => L.mean(x, [2, 3]), 8 * 13],
    ['pooling to one pixel', (x) => new L.AdaptiveAvgPool2d(1).call(x), 8 * 13],
    ['the mean of rows, which leaves their axis out', (x) => L.mean(x, 2), 8 * 13],
    ['the mean of rows and what follows', (x) => L.unsqueeze(L.relu(L.mean(x, 2)), 2), 8 * 13],
    ['a flat tensor', (x) => L.flatten(x), 8],
    ['a flat tensor after pooling', (x) => L.flatten(new L.AdaptiveAvgPool2d(1).call(x)), 8 * 13],
    ['images and channels as one axis', (x) => L.flatten(x, 0, 1), 8],
    ['every other row of images and channels', (x) => L.slice(L.flatten(x, 0, 1), 1, 0, Infinity, 2), 16],
    ['channels and rows as one axis', (x) => L.flatten(x, 1, 2), 8],
    ['channels and rows as one axis, and back', (x) => L.unflatten(L.relu(L.flatten(x, 1, 2)), 1, [4, -1]), 8],
    ['images, channels and rows as one axis', (x) => L.flatten(x, 0, 2), 8],
    ['all as one axis', (x) => L.flatten(x, 0), 8],
    ['channels as heads, and rows with them', (x) => L.reshape(x, [2, 2, 2 * 13, -1]), 8],
    ['images as channels', (x) => L.reshape(x, [1, 8, 13, -1]), 8],
    ['an axis more for images', (x) => L.reshape(x, [1, 2, 1, 4, 13, -1]), 8],
    ['tokens and back', (x) => L.unflatten(L.relu(L.flatten(x, 2)), 2, [x.shape[2]!, -1]), 8],
    [
      'attention',
      (x) => {
        const tokens = L.permute(L.flatten(x, 2), [0, 2, 1]);
        const few = L.slice(tokens, 1, 0, Infinity, 4);
        const y = L.matmul(L.softmax(L.matmul(tokens, L.transpose(few, 1, 2)), 2), few);
        return L.reshape(L.transpose(y, 1, 2), x.shape);
      },
      8,
    ],
    [
      'attention of channels',
      (x) => {
        const rows = L.flatten(x, 2);
        return L.reshape(L.matmul(L.softmax(L.matmul(rows, L.transpose(rows, 1, 2)), -1), rows), x.shape);
      },
      8,
    ],
    [
      'attention of channels, whose weights come turned round',
      (x) => {
        const rows = L.flatten(x, 2);
        const weights = L.softmax(L.matmul(rows, L.transpose(rows, 1, 2)), 1);
        return L.reshape(L.matmul(L.transpose(weights, 1, 2), rows), x.shape);
      },
      8,
    ],
    [
      'linear attention',
      (x) => {
        const rows = L.flatten(x, 2);
        const context = L.matmul(L.softmax(rows, -1), L.transpose(rows, 1, 2));
        return L.reshape(L.transpose(L.matmul(L.transpose(rows, 1, 2), context), 1, 2), x.shape);
      },
      8,
    ],
    [
      'linear attention of heads, whose context comes turned round',
      (x) => {
        const heads = L.reshape(x, [2, 2, 2, x.shape[2]! * x.shape[3]!]);
        const context = L.matmul(L.softmax(heads, -1), L.transpose(heads, 2, 3));
        return L.reshape(L.matmul(L.transpose(context, 2, 3), L.softmax(heads, -2)), x.shape);
      },
      8,
    ],
    ...[2, 3, 4].map(
      (dims) =>
        [
          `linear attention with the channels first, of ${dims} for queries`,
          (x: Value) => {
            const [rows, few] = [L.flatten(x, 2), L.flatten(L.cat([x, x], 1), 2)];
            const keys = L.softmax(L.slice(few, 1, 0, dims), -1);
            const context = L.matmul(rows, L.transpose(keys, 1, 2));
            return L.reshape(L.matmul(context, L.softmax(L.slice(few, 1, 0, dims), 1)), x.shape);
          },
          8,
        ] as const,
    ),
    [
      'double attention: few descriptions of all pixels, of which each has its own',
      (x) => {
        const rows = L.flatten(x, 2);
        const [maps, vectors] = [L.softmax(L.slice(rows, 1, 0, 3), -1), L.softmax(L.slice(rows, 1, 1), 1)];
        return L.reshape(L.matmul(L.matmul(rows, L.transpose(maps, 1, 2)), vectors), x.shape);
      },
      8,
    ],
    [
      'attention to fewer pixels than there are',
      (x) => {
        const [tokens, few] = [x, L.avgPool2d(x, 2)].map((map) => L.permute(L.flatten(map, 2), [0, 2, 1])) as [
          Value,
          Value,
        ];
        const y = L.matmul(L.softmax(L.matmul(tokens, L.transpose(few, 1, 2)), 2), few);
        return L.reshape(L.transpose(y, 1, 2), x.shape);
      },
      8,
    ],
    [
      'what all pixels have to say of each',
      (x) => {
        const rows = L.flatten(x, 2);
        const weights = L.softmax(L.matmul(L.transpose(rows, 1, 2), rows), -1);
        return L.add(x, L.reshape(L.matmul(rows, L.transpose(weights, 1, 2)), x.shape));
      },
      8,
    ],
    [
      "a class's token before the others",
      (x) => {
        const tokens = L.permute(L.flatten(x, 2), [0, 2, 1]);
        const all = L.cat([L.mean(tokens, 1, { keepdim: true }), tokens], 1);
        return L.unflatten(L.permute(L.slice(all, 1, 1), [0, 2, 1]), 2, [x.shape[2]!, -1]);
      },
      8,
    ],
    ['a squeeze without axes', (x, net) => L.mul(x, gate(net, x, L.mean(x, [2, 3]))) as Value, 8],
    ['a squeeze of a flat value', (x, net) => L.mul(x, gate(net, x, L.mean(L.flatten(x, 2), 2))) as Value, 8],
    [
      'what is without its mean',
      (x) => L.sub(x, L.unsqueeze(L.mean(L.flatten(x, 2), 2, { keepdim: true }), 3)) as Value,
      8,
    ],
    ['what is without the mean of all', (x) => L.sub(x, L.mean(x, [0, 1, 2, 3])) as Value, 8],
    ['the mean of all before it', (x) => L.mul(L.mean(x, [0, 1, 2, 3]), x) as Value, 8],
    ['rows without their mean', (x) => L.sub(x, L.unsqueeze(L.mean(x, 2), 2)) as Value, 8],
    ['a matrix that makes few rows of many', (x, { few }) => L.matmul(few as never, x), (8 * 13) / 2],
    ['one row on other axes', (x) => L.add(L.unsqueeze(L.mean(x, [2, 3]), 0), 1) as Value, 8 * 13],
    ['a squeeze', (x) => L.mul(L.sigmoid(L.mean(x, [2, 3], { keepdim: true })) as never, x) as Value, 8],
    ["a column's parameter", (x, { column }) => L.add(column as never, x) as Value, 8],
    ['an op of its own that crops', (x) => crop(x), 8],
    ['windows after an axis more', (x) => L.squeeze(L.unsqueeze(x, 2), 2), 8],
  ])('%s', (_name, run, expected) => {
    const shape = [2, 3, 97, 60];
    const net = createFeatureExtractor(new Net(run), { returnNodes: ['stem', 'fn'], inputShape: shape });
    expect(net.featureInfo(shape).map(({ reduction }) => reduction)).toEqual([8, expected]);
  });

  // What follows is a stride of 2, which counts where rows came back.
  it.each<[name: string, run: (x: Value, net: Net) => Value, channels?: number, batches?: number[]]>([
    ['all as one axis', (x) => L.reshape(L.relu(L.flatten(x)), x.shape)],
    // Of an empty batch, the size of that axis says nothing.
    ['all of all images as one axis', (x) => L.reshape(L.relu(L.flatten(x, 0)), x.shape), 4, [1, 2, 3]],
    ['groups', (x) => L.reshape(L.relu(L.reshape(x, [x.shape[0]!, 2, 2 * 13 * 8])), x.shape)],
    [
      'pixels of all images',
      (x, { four }) => {
        const last = L.permute(x, [0, 2, 3, 1]);
        return L.permute(L.reshape(four.call(L.reshape(last, [-1, 4])), last.shape), [0, 3, 1, 2]);
      },
    ],
    [
      'columns as tokens',
      (x, { four }) => {
        const [images, channels, rows, columns] = x.shape as [number, number, number, number];
        const tokens = four.call(L.reshape(L.permute(x, [0, 3, 2, 1]), [images, rows * columns, channels]));
        return L.permute(L.reshape(tokens, [images, columns, rows, channels]), [0, 3, 2, 1]);
      },
    ],
    [
      'pixels of all images, with other channels',
      (x, { linear }) => {
        const last = L.permute(x, [0, 2, 3, 1]);
        const sizes = [...last.shape.slice(0, 3), 9];
        return L.permute(L.reshape(linear.call(L.reshape(last, [-1, 4])), sizes), [0, 3, 1, 2]);
      },
      9,
    ],
    [
      'pixels of all images, as tokens with other channels',
      (x, { linear }) => {
        const [images, , rows, columns] = x.shape as [number, number, number, number];
        const pixels = linear.call(L.reshape(L.permute(x, [0, 2, 3, 1]), [images * rows * columns, 4]));
        const tokens = L.transpose(L.reshape(pixels, [images, rows * columns, 9]), 1, 2);
        return L.reshape(tokens, [images, 9, rows, columns]);
      },
      9,
    ],
    [
      'rows of all images, with other channels',
      (x, { conv1d }) => {
        const [images, , rows, columns] = x.shape as [number, number, number, number];
        const all = conv1d.call(L.reshape(L.permute(x, [0, 2, 1, 3]), [images * rows, 4, columns]));
        return L.permute(L.reshape(all, [images, rows, 9, columns]), [0, 2, 1, 3]);
      },
      9,
    ],
    [
      'windows of all images, with other channels',
      (x, { linear }) => {
        const n = x.shape[0]!;
        const parts = L.permute(L.reshape(L.pad(x, [0, 0, 0, 3]), [n, 4, 4, 4, 2, 4]), [0, 2, 4, 3, 5, 1]);
        const windows = linear.call(L.reshape(parts, [n * 8, 16, 4]));
        return L.reshape(L.permute(L.reshape(windows, [n, 4, 2, 4, 4, 9]), [0, 5, 1, 3, 2, 4]), [n, 9, 16, 8]);
      },
      9,
    ],
    [
      'a grid of all images, with other channels',
      (x, { linear }) => {
        const n = x.shape[0]!;
        const parts = L.permute(L.reshape(L.pad(x, [0, 0, 0, 3]), [n, 4, 4, 4, 4, 2]), [0, 3, 5, 2, 4, 1]);
        const grids = linear.call(L.reshape(parts, [n * 8, 16, 4]));
        return L.reshape(L.permute(L.reshape(grids, [n, 4, 2, 4, 4, 9]), [0, 5, 3, 1, 4, 2]), [n, 9, 16, 8]);
      },
      9,
    ],
    [
      'heads of windows of all images',
      (x) => {
        const n = x.shape[0]!;
        const parts = L.permute(L.reshape(L.pad(x, [0, 0, 0, 3]), [n, 4, 4, 4, 2, 4]), [0, 2, 4, 3, 5, 1]);
        const heads = L.permute(L.reshape(parts, [n * 8, 16, 2, 2]), [2, 0, 1, 3]);
        const back = L.reshape(L.permute(L.relu(heads), [1, 2, 0, 3]), [n, 4, 2, 4, 4, 4]);
        return L.reshape(L.permute(back, [0, 5, 1, 3, 2, 4]), [n, 4, 16, 8]);
      },
    ],
    [
      'channels and rows before images',
      (x) => {
        const [images, channels, rows, columns] = x.shape as [number, number, number, number];
        const turned = L.relu(L.reshape(L.permute(x, [1, 2, 0, 3]), [channels * rows, images, columns]));
        return L.permute(L.reshape(turned, [channels, rows, images, columns]), [2, 0, 1, 3]);
      },
    ],
    [
      'as many rows as channels',
      (x) => {
        const square = L.permute(L.slice(x, 2, 0, 4), [0, 2, 1, 3]);
        const rows = L.relu(L.reshape(square, [4 * x.shape[0]!, 4, x.shape[3]!]));
        return L.permute(L.reshape(rows, square.shape), [0, 2, 1, 3]);
      },
    ],
    [
      'flat maps side by side',
      (x) => {
        const [images, channels, rows, columns] = x.shape as [number, number, number, number];
        return L.reshape(L.cat([L.flatten(x, 1), L.flatten(x, 1)], 1), [images, 2 * channels, rows, columns]);
      },
      8,
    ],
    [
      'some channels of a flat map',
      (x) => {
        const [images, , rows, columns] = x.shape as [number, number, number, number];
        return L.reshape(L.slice(L.flatten(x, 1), 1, 0, 3 * rows * columns), [images, 3, rows, columns]);
      },
      3,
    ],
    [
      'a decoder of a flat map',
      (x, { decode }) => {
        const [images, , rows, columns] = x.shape as [number, number, number, number];
        return L.reshape(decode.call(L.flatten(x, 1)), [images, 9, rows, columns]);
      },
      9,
    ],
    [
      "what is without the mean of each image's flat map",
      (x) => L.sub(x, L.reshape(L.mean(L.flatten(x, 1), 1), [x.shape[0]!, 1, 1, 1])) as Value,
    ],
    [
      'group norm of flat groups',
      (x) => {
        const groups = L.reshape(x, [2 * x.shape[0]!, 2 * x.shape[2]! * x.shape[3]!]);
        return L.reshape(L.sub(groups, L.unsqueeze(L.mean(groups, 1), 1)) as Value, x.shape);
      },
    ],
    [
      'group norm by pooling',
      (x) => {
        const groups = L.reshape(x, [x.shape[0]!, 2, 2 * x.shape[2]! * x.shape[3]!]);
        return L.reshape(L.sub(groups, L.adaptiveAvgPool1d(groups, 1)) as Value, x.shape);
      },
    ],
    [
      'rows beside channels without their mean',
      (x) => {
        const [images, channels, rows, columns] = x.shape as [number, number, number, number];
        const flat = L.reshape(x, [images, channels * rows, columns]);
        return L.sub(x, L.reshape(L.mean(flat, 1), [images, 1, 1, columns])) as Value;
      },
    ],
    [
      'a gate that is learned from a flat map',
      (x, { judge }) => {
        const gates = L.sigmoid(judge.call(L.flatten(x, 1)));
        return L.mul(x, L.unsqueeze(L.unsqueeze(gates, 2), 3)) as Value;
      },
    ],
    [
      'a decoder of fewer numbers than a row has',
      (x, { judge, paint }) => {
        const [images, , rows, columns] = x.shape as [number, number, number, number];
        return L.reshape(paint.call(judge.call(L.flatten(x, 1))), [images, 1, rows, columns]);
      },
      1,
    ],
    [
      'more learned tokens than pixels',
      (x, { tokens }) => {
        const pixels = L.flatten(x, 2);
        const learned = L.mul(L.mean(pixels, 2, { keepdim: true }), tokens as never) as Value;
        const count = pixels.shape[2]!;
        return L.reshape(L.slice(L.cat([pixels, learned], 2), 2, 0, count), x.shape);
      },
    ],
  ])('comes back to an image: %s', (_name, run, channels = 4, batches = [1, 2, 3, 0]) => {
    for (const images of batches) {
      const shape = [images, 3, 97, 60];
      const layers = new L.Sequential(new Net(run), strided(2, channels));
      const { featureInfo } = featuresOnly(layers, { inputShape: shape, outputStride: 8 });
      expect(featureInfo.reduction()).toEqual([8, 8]);
      const getter = new IntermediateLayerGetter(layers, { 0: 'a', 1: 'b' }, { onWarning: null });
      expect(getter.featureInfo(shape).map(({ reduction }) => reduction)).toEqual([8, 16]);
    }
  });

  it("a U-Net's steps up, resized to what they are added to, at any size", () => {
    class UNet extends L.Module {
      readonly stem = strided(8, 3);
      readonly down = strided(2);
      readonly deeper = strided(2);
      readonly up = new L.ConvTranspose2d(4, 4, 2, { stride: 2 });
      readonly join = strided(1);
      readonly next = strided(2);
      forward(x: Value): Value {
        const [stem, rows] = [this.stem.call(x), (value: Value) => value.shape.slice(2) as [number, number]];
        const down = this.down.call(stem);
        const up = L.interpolate(this.up.call(this.deeper.call(down)), { size: rows(down) });
        const back = L.interpolate(L.add(up, down) as Value, { size: rows(stem), mode: 'bilinear' });
        return this.next.call(this.join.call(L.add(back, stem) as Value));
      }
    }
    for (const side of [36, 56, 72, 97, 100, 129, 224, 250]) {
      const nodes = { returnNodes: ['stem', 'down', 'deeper', 'up', 'join', 'next'], inputShape: [1, 3, side, side] };
      const info = createFeatureExtractor(new UNet(), nodes).featureInfo(nodes.inputShape);
      expect(
        info.map(({ reduction }) => reduction),
        String(side),
      ).toEqual([8, 16, 32, 16, 8, 16]);
    }
  });

  it('frames of [N, T, C, H, W]', () => {
    class Frames extends L.Module {
      readonly a = strided(4, 3);
      readonly b = strided(2);
      forward(x: Value): Value {
        const [images, frames, channels, rows, columns] = x.shape as [number, number, number, number, number];
        return this.b.call(this.a.call(L.reshape(x, [images * frames, channels, rows, columns])));
      }
    }
    for (const shape of [
      [1, 2, 3, 64, 48],
      [2, 5, 3, 48, 64],
      [2, 1, 3, 3, 64],
    ]) {
      const extractor = createFeatureExtractor(new Frames(), { returnNodes: ['a', 'b'], inputShape: shape });
      expect(extractor.featureInfo(shape).map(({ reduction }) => reduction)).toEqual([4, 8]);
    }
    const net = featuresOnly(new Frames(), { inputShape: [2, 2, 3, 64, 48], outputStride: 8 });
    expect(net.featureInfo.reduction()).toEqual([4, 8]);
  });

  it('convolutions and poolings of rows of numbers', () => {
    const layers = [
      new L.Conv1d(3, 4, 3, { stride: 2, padding: 1 }),
      new L.MaxPool1d(3, { stride: 2, padding: 1 }),
      new L.Conv1d(4, 4, 3, { stride: 2, padding: 1 }),
      new L.Conv1d(4, 4, 3, { padding: 1 }),
      new L.ConvTranspose1d(4, 4, 3, { stride: 2 }),
    ];
    for (const length of [64, 97, 33, 21]) expect(reductions(layers, [1, 3, length])).toEqual([2, 4, 8, 8, 4]);
  });

  it('any of them one after the other, at any size', () => {
    let state = 7;
    const below = (n: number) => {
      state = (state * 48271) % 2147483647;
      return state % n;
    };
    const conv =
      (stride: number, kernel = 3) =>
      () =>
        new L.Conv2d(4, 4, kernel, { stride, padding: 1 });
    const fn = (run: (x: Value) => Value) => () => new Fn(run);
    const kinds: readonly (readonly [factor: number, layer: () => L.Module<any>])[] = [
      [2, conv(2)],
      [3, conv(3)],
      [1, conv(1)],
      [1, () => new L.Conv2d(4, 4, 3)],
      [1, () => new L.Conv2d(4, 4, 3, { padding: 1, paddingMode: 'replicate' })],
      [2, () => new L.MaxPool2d(3, { stride: 2, padding: 1, ceilMode: true })],
      [1, () => new L.ReplicationPad2d(2)],
      [1 / 2, () => new L.Upsample({ scaleFactor: 2 })],
      [1 / 2, () => new L.ConvTranspose2d(4, 4, 4, { stride: 2, padding: 1 })],
      [1, fn((x) => L.relu(x))],
      [1, fn((x) => L.add(x, L.relu(x)))],
      [1, fn((x) => L.slice(x, 2, 0, -1))],
      [2, fn((x) => L.slice(x, 2, 0, Infinity, 2))],
      [1, fn((x) => L.permute(L.relu(L.permute(x, [0, 2, 3, 1])), [0, 3, 1, 2]))],
      [1, fn((x) => L.softmax(x, 3))],
      [1, fn((x) => L.mul(x, L.mean(x, [2, 3], { keepdim: true })) as Value)],
      [1, fn((x) => L.channelShuffle(x, 2))],
      [1, fn((x) => L.reshape(L.flatten(x, 2), x.shape))],
      [2, fn((x) => L.slice(L.pixelUnshuffle(L.pad(x, [x.shape[3]! % 2, 0, x.shape[2]! % 2, 0]), 2), 1, 0, 4))],
      [1 / 2, fn((x) => L.pixelShuffle(L.cat([x, x, x, x]), 2))],
      [1, fn((x) => L.cat([L.slice(x, 1, 0, 2), L.slice(x, 1, 2)]))],
      [1, () => new L.GroupNorm(2, 4)],
    ];
    for (let i = 0; i < 300; i++) {
      const chosen = Array.from({ length: 1 + below(8) }, () => kinds[below(kinds.length)]!);
      const shape = [1 + below(2), 4, 120 + below(150), 120 + below(150)];
      let product = 1;
      const expected = chosen.map(([factor]) => {
        product *= factor;
        return Math.max(1, product);
      });
      // Halves round either way, and maps get small.
      if (!expected.every((reduction) => Number.isInteger(reduction) && reduction < 40)) continue;
      expect(
        reductions(
          chosen.map(([, layer]) => layer()),
          shape,
        ),
        `${i}: ${shape}; ${chosen.map((kind) => kinds.indexOf(kind))}`,
      ).toEqual(expected);
    }
  });
});
