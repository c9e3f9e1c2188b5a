/** Features as vectors that can be compared: pooled, of length 1, and how alike two are. */

import { ShapeError } from '../errors.ts';
import { finite, withDefaults } from '../options.ts';
import { toDim } from '../tensor/dim.ts';
import { formatShape, numel, type Shape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { along, floatsOf, vectorDim } from './tensors.ts';

/**
 * The mean of each channel, `[N, C]` of a feature `[N, C, H, W]`: what a ResNet's classifier sees of `layer4`. Sums are
 * in float64. A feature `[N, C]` is given back as a copy.
 *
 * @throws {@link ShapeError} where x has no channels, its channels have no elements, or it has three axes, which may be
 *   one image's
 * @throws {@link ValueError} where x isn't a tensor
 * @see torch.nn.AdaptiveAvgPool2d(1)
 */
export function globalAveragePool(feature: Tensor): Tensor<Float32Array> {
  const x = floatsOf('globalAveragePool', feature);
  const [images, channels, ...rest] = x.shape;
  const plane = numel(rest);
  if (images === undefined || channels === undefined || plane === 0 || rest.length === 1) {
    const got = formatShape(x.shape) + (rest.length === 1 ? '; stack([x]) makes one image a batch' : '');
    throw new ShapeError(`globalAveragePool: expected a feature [N, C, H, W] with pixels, or [N, C], got ${got}`);
  }
  const out = new Float32Array(images * channels);
  for (let c = 0, at = 0; c < out.length; c++) {
    let sum = 0;
    for (let i = 0; i < plane; i++) sum += x.data[at++]!;
    out[c] = sum / plane;
  }
  return new Tensor(out, [images, channels]);
}

/** Options of {@link l2Normalize} and {@link cosineSimilarity}. */
export interface VectorOptions {
  /** The axis that vectors lie along: 1, or 0 where there is a single vector, unless given. */
  readonly dim?: number;
  /** The least length that is divided by, against zero vectors. */
  readonly eps?: number;
}

/**
 * The vectors along an axis at length 1: x / max(‖x‖, eps). Zero vectors stay zero. Sums are in float64.
 *
 * @param options `eps` is 1e-12 unless given
 * @throws {@link ValueError} where x isn't a tensor, has no such axis, or eps is negative
 * @see torch.nn.functional.normalize
 */
export function l2Normalize(x: Tensor, options: VectorOptions = {}): Tensor<Float32Array> {
  const { dim, eps } = withDefaults('l2Normalize', options, { dim: undefined, eps: 1e-12 });
  finite('l2Normalize: eps', eps, 0);
  const { shape } = floatsOf('l2Normalize', x);
  const { x: vectors, outer, size, inner } = along('l2Normalize', x, vectorDim(dim, shape.length));
  const { data } = vectors;
  const out = new Float32Array(data.length);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const begin = o * size * inner + i;
      let sum = 0;
      for (let k = 0; k < size; k++) sum += data[begin + k * inner]! ** 2;
      const length = Math.max(Math.sqrt(sum), eps);
      for (let k = 0; k < size; k++) out[begin + k * inner] = data[begin + k * inner]! / length;
    }
  }
  return new Tensor(out, shape);
}

/**
 * How alike vectors are, from −1 to 1: a·b / (max(‖a‖, eps)·max(‖b‖, eps)), of their shape without the axis. Shapes are
 * broadcast, so `cosineSimilarity(query, all)` of `[1, C]` and `[N, C]` is `[N]`. Sums are in float64.
 *
 * @param options `eps` is 1e-8 unless given
 * @throws {@link ShapeError} where the shapes can't be broadcast
 * @throws {@link ValueError} where one isn't a tensor, there is no such axis, or eps is negative
 * @see torch.nn.functional.cosine_similarity
 */
export function cosineSimilarity(a: Tensor, b: Tensor, options: VectorOptions = {}): Tensor<Float32Array> {
  const name = 'cosineSimilarity';
  const { dim, eps } = withDefaults(name, options, { dim: undefined, eps: 1e-8 });
  finite(`${name}: eps`, eps, 0);
  const sides = [floatsOf(name, a), floatsOf(name, b)] as const;
  const shape = broadcast(name, sides[0].shape, sides[1].shape);
  const axis = toDim(name, vectorDim(dim, shape.length), shape.length);
  const size = shape[axis] ?? 1;
  const outShape = shape.filter((_, i) => i !== axis);
  const strides = sides.map((side) => stridesIn(side.shape, shape));
  const out = new Float32Array(numel(outShape));
  const place = new Int32Array(outShape.length);
  for (let to = 0; to < out.length; to++) {
    // The place in the output, counted up like the digits of a number.
    const [fromA, fromB] = strides.map((own) =>
      own.filter((_, i) => i !== axis).reduce((sum, stride, i) => sum + stride * place[i]!, 0),
    ) as [number, number];
    const [stepA, stepB] = strides.map((own) => own[axis] ?? 0) as [number, number];
    let [product, squareA, squareB] = [0, 0, 0];
    for (let k = 0; k < size; k++) {
      const [x, y] = [sides[0].data[fromA + k * stepA]!, sides[1].data[fromB + k * stepB]!];
      product += x * y;
      squareA += x * x;
      squareB += y * y;
    }
    out[to] = product / (Math.max(Math.sqrt(squareA), eps) * Math.max(Math.sqrt(squareB), eps));
    for (let i = place.length - 1; i >= 0 && ++place[i]! === outShape[i]; i--) place[i] = 0;
  }
  return new Tensor(out, outShape);
}

/** The shape that both are repeated to. @throws {@link ShapeError} in PyTorch's words */
function broadcast(name: string, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  const sizeOf = (shape: Shape, i: number) => shape[i - rank + shape.length] ?? 1;
  return Array.from({ length: rank }, (_, i) => {
    const [x, y] = [sizeOf(a, i), sizeOf(b, i)];
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    throw new ShapeError(
      `The size of tensor a (${x}) must match the size of tensor b (${y}) at non-singleton dimension ${i}; ` +
        `${name}: got ${formatShape(a)} and ${formatShape(b)}`,
    );
  });
}

/** Elements between neighbours along each axis of the larger shape; 0 where the smaller one is repeated. */
function stridesIn(own: Shape, shape: Shape): number[] {
  const first = shape.length - own.length;
  return shape.map((_, i) => (i < first || own[i - first] === 1 ? 0 : numel(own.slice(i - first + 1))));
}
