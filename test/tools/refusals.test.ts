/** What the tools say of what they can't take, and nothing else happens. */

import { describe, expect, it } from 'vitest';
import { resnet18 } from '../../src/models/resnet.ts';
import { squeezenet1_1 } from '../../src/models/squeezenet.ts';
import { vgg11 } from '../../src/models/vgg.ts';
import { Tensor, tensor, zeros } from '../../src/tensor/tensor.ts';
import * as tools from '../../src/tools/index.ts';
import { thrown } from '../support/thrown.ts';

const { argmax, camLayers, cat, channelGrid, classActivationMaps, cosineSimilarity, distinctPalette } = tools;
const { globalAveragePool, heatmap, imageFrom, l2Normalize, maskToRgba, overlay, pcaToRgb, softmax } = tools;
const { stack, topk, unstack, vocPalette } = tools;

const x = zeros([1, 2, 3, 4]);
const batch = zeros([2, 2, 3, 4]);
const bool = new Tensor(new Uint8Array(2), [2], 'bool');
const image = { data: new Uint8Array(36), width: 4, height: 3 };
const picture = heatmap(x);
const any = (value: unknown) => value as never;

type Case = readonly [name: string, run: () => unknown, message: string];

const cases: readonly Case[] = [
  ['no tensor', () => softmax(any([1, 2])), 'ValueError: softmax: expected a Tensor, got [1, 2]'],
  ['truth values', () => softmax(bool), 'DtypeError: softmax: expected numbers, got a Tensor (bool, [2])'],
  [
    'an axis too far',
    () => softmax(x, 4),
    'ValueError: Dimension out of range (expected to be in range of [-4, 3], but got 4); softmax',
  ],
  ['k too large', () => topk(x, 5), 'ValueError: topk: expected k as a whole number from 0 to 4, got 5'],
  ['no k', () => topk(x, any(undefined)), 'ValueError: topk: expected k as a whole number from 0 to 4, got undefined'],
  ['no scalar', () => topk(zeros([]), 0), 'ValueError: topk: expected k as 1 for a tensor of no axes, got 0'],
  [
    'largest as a number',
    () => topk(x, 1, { largest: any(1) }),
    'ValueError: topk: largest: expected true or false, got 1',
  ],
  ['nothing to compare', () => argmax(zeros([2, 0])), 'ShapeError: argmax: expected elements to compare, got x [2, 0]'],
  [
    'nothing to compare along an axis',
    () => argmax(zeros([2, 0]), { dim: 1 }),
    'ShapeError: argmax: expected elements to compare, got x [2, 0]',
  ],
  [
    'the axis by itself',
    () => argmax(x, any(1)),
    'ValueError: argmax: expected options as an object { dim, keepdim }, got 1',
  ],
  [
    'no channels',
    () => globalAveragePool(zeros([3])),
    'ShapeError: globalAveragePool: expected a feature [N, C, H, W] with pixels, or [N, C], got [3]',
  ],
  [
    'three axes, which may be one image’s',
    () => globalAveragePool(zeros([4, 3, 3])),
    'ShapeError: globalAveragePool: expected a feature [N, C, H, W] with pixels, or [N, C], got [4, 3, 3]; ' +
      'stack([x]) makes one image a batch',
  ],
  [
    'no pixels',
    () => globalAveragePool(zeros([1, 3, 0, 2])),
    'ShapeError: globalAveragePool: expected a feature [N, C, H, W] with pixels, or [N, C], got [1, 3, 0, 2]',
  ],
  [
    'a negative eps',
    () => l2Normalize(x, { eps: -1 }),
    'ValueError: l2Normalize: eps: expected a finite number >= 0, got -1',
  ],
  [
    'vectors of two lengths',
    () => cosineSimilarity(zeros([1, 3]), zeros([2, 4])),
    'ShapeError: The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 1; ' +
      'cosineSimilarity: got [1, 3] and [2, 4]',
  ],
  [
    'no array',
    () => stack(any(x)),
    'ValueError: stack: expected an array of at least one Tensor, got a Tensor ' + '(float32, [1, 2, 3, 4])',
  ],
  ['nothing in it', () => cat([]), 'ValueError: cat: expected an array of at least one Tensor, got []'],
  [
    'two shapes',
    () => stack([x, batch]),
    'ShapeError: stack expects each tensor to be equal size, but got [1, 2, 3, 4] at entry 0 and [2, 2, 3, 4] at ' +
      'entry 1',
  ],
  [
    'two dtypes',
    () => cat([zeros([2]), bool]),
    'DtypeError: cat: expected tensors of one dtype, got float32 at entry 0 and bool at entry 1',
  ],
  [
    'shapes that differ elsewhere',
    () => cat([zeros([1, 2]), zeros([1, 3])]),
    'ShapeError: cat: expected tensors that differ in axis 0 alone, got [1, 2] at entry 0 and [1, 3] at entry 1',
  ],
  [
    'scalars',
    () => cat([zeros([])]),
    'ShapeError: cat: expected tensors of at least one axis, got []; stack makes one',
  ],
  ['a scalar', () => unstack(zeros([])), 'ShapeError: unstack: expected a tensor of at least one axis, got []'],
  [
    'a batch',
    () => heatmap(batch),
    'ShapeError: heatmap: expected a feature of one image, [C, H, W] or [1, C, H, W], got [2, 2, 3, 4]; ' +
      'unstack(feature) gives the feature of each image',
  ],
  [
    'a vector',
    () => channelGrid(zeros([512]), 4),
    'ShapeError: channelGrid: expected a feature of one image, [C, H, W] or [1, C, H, W], got [512]',
  ],
  [
    'a percentile of a part',
    () => heatmap(x, { percentile: 0.99 }),
    'ValueError: heatmap: expected percentile above 50 and up to 100, got 0.99',
  ],
  [
    'no pixels wanted',
    () => heatmap(x, { width: 0 }),
    'ValueError: heatmap: expected whole numbers >= 1 as width and height, got 0 x 3',
  ],
  [
    'a colour map’s name',
    () => heatmap(x, { colormap: any('jet') }),
    'ValueError: heatmap: expected colormap as a function, got "jet"; import { jet } from \'layertap/tools\'',
  ],
  [
    'a colour map that gives none',
    () => heatmap(x, { colormap: any(() => '#fff') }),
    'ValueError: heatmap: expected colormap to give [red, green, blue] from 0 to 255, got "#fff" of 0',
  ],
  [
    'another size',
    () => overlay({ data: new Uint8Array(12), width: 2, height: 2 }, picture),
    "ShapeError: overlay: expected a picture of the image's 2 x 2 pixels, got 4 x 3; heatmap takes { width, height }",
  ],
  [
    'an image in the place of the heat map',
    () => overlay(image, any(image)),
    'ValueError: overlay: expected a picture { data, width, height } of RGBA, got { data, width, height }',
  ],
  [
    'more than opaque',
    () => overlay(image, picture, { alpha: 2 }),
    'ValueError: overlay: expected alpha from 0 to 1, got 2',
  ],
  [
    'NaN among components',
    () => pcaToRgb(tensor([1, Number.NaN], [1, 1, 2])),
    'ValueError: pcaToRgb: expected finite values, got NaN at 1',
  ],
  [
    'scores in the place of a mask',
    () => maskToRgba(x, vocPalette()),
    'ShapeError: maskToRgba: expected a mask [H, W] or [1, H, W], got [1, 2, 3, 4]; argmax(scores, { dim: 1 }) makes ' +
      'one of scores',
  ],
  [
    'a class without a colour',
    () => maskToRgba({ data: [0, 21], width: 1, height: 2 }, vocPalette(21)),
    'ValueError: maskToRgba: expected classes from 0 to 20, got 21 at pixel (0, 1)',
  ],
  [
    'too few classes',
    () => maskToRgba({ data: [0], width: 1, height: 2 }, vocPalette(21)),
    'ShapeError: maskToRgba: expected 2 classes for 1 x 2 pixels, got 1',
  ],
  [
    'no mask',
    () => maskToRgba(any('voc'), vocPalette(21)),
    'ValueError: maskToRgba: expected a mask { data, width, height } or a Tensor, got "voc"',
  ],
  [
    'a palette’s name',
    () => maskToRgba({ data: [0], width: 1, height: 1 }, any('voc')),
    'ValueError: maskToRgba: expected palette as an array of colours [red, green, blue] from 0 to 255, got "voc"',
  ],
  [
    'more than opaque classes',
    () => maskToRgba({ data: [0], width: 1, height: 1 }, vocPalette(), { alpha: 3 }),
    'ValueError: maskToRgba: expected alpha from 0 to 1, got 3',
  ],
  ['more than VOC’s bytes', () => vocPalette(257), 'ValueError: vocPalette: expected at most 256 classes, got 257'],
  [
    'more than distinct colours',
    () => distinctPalette(342),
    'ValueError: distinctPalette: expected at most 341 classes, got 342',
  ],
  [
    'a network of three linear layers',
    () => camLayers(vgg11(), [1, 3, 64, 64]),
    'UnsupportedError: camLayers: expected a network with global average pooling before its last and only linear ' +
      'layer, got VGG',
  ],
  [
    'a network without one',
    () => camLayers(squeezenet1_1(), [1, 3, 64, 64]),
    'UnsupportedError: camLayers: expected a network with global average pooling before its last and only linear ' +
      'layer, got SqueezeNet',
  ],
  [
    'a weight of another feature',
    () => classActivationMaps(x, zeros([5, 3]), [0]),
    'ShapeError: classActivationMaps: expected a feature [N, C, H, W] and a weight [classes, C], ' +
      'got [1, 2, 3, 4] and [5, 3]',
  ],
  [
    'a class that there is not',
    () => classActivationMaps(x, zeros([5, 2]), [5]),
    'ValueError: classActivationMaps: expected an array of classes from 0 to 4, got [5]',
  ],
  [
    'no picture',
    () => imageFrom(any('photo.jpg')),
    'ValueError: imageFrom: expected ImageData, a canvas, its 2d context, or what one can draw, got "photo.jpg"',
  ],
  [
    'an object that is none',
    () => imageFrom(any({ src: 'photo.jpg' })),
    'ValueError: imageFrom: expected ImageData, a canvas, its 2d context, or what one can draw, got { src }',
  ],
  [
    'a bitmap that was closed',
    () => imageFrom({ width: 0, height: 0 }),
    'ValueError: imageFrom: expected a picture with pixels, got { width, height } of 0 x 0; has it loaded, or was it ' +
      'closed?',
  ],
  [
    'a bitmap where nothing draws',
    () => imageFrom({ width: 2, height: 2 }),
    'UnsupportedError: imageFrom: expected a host with OffscreenCanvas or document, got neither; imageFromRgba takes ' +
      'decoded pixels',
  ],
  [
    'a canvas of WebGL',
    () => imageFrom({ width: 2, height: 2, getContext: () => null }),
    'UnsupportedError: imageFrom: expected a canvas with a 2d context, got one with none or another',
  ],
];

describe('refused', () => {
  it.each(cases)('%s', (_, run, message) => expect(thrown(run)).toBe(message));

  it('is a model of which nothing is compiled or loaded', () => {
    const model = resnet18();
    camLayers(model, [1, 3, 64, 64]);
    expect(model.compiled).toBe(null);
  });
});
