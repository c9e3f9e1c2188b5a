/** The three directions in which a feature's pixels differ most, as red, green and blue. */

import { describe, ValueError } from '../errors.ts';
import { allocate, checkImageSize } from '../image/image.ts';
import { withDefaults } from '../options.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { blank, interpolated, type Planes, planesOf, type Rgba, rangeOf, share } from './rgba.ts';

/** Options of {@link pcaToRgb}. */
export interface PcaOptions {
  /** In pixels; the feature's own unless given. */
  readonly width?: number;
  /** In pixels; the feature's own unless given. */
  readonly height?: number;
}

/** The three principal components as a picture. */
export interface PcaRgb extends Rgba {
  /** Which parts of all variance the three are, the largest first. */
  readonly explained: readonly [number, number, number];
}

/**
 * A feature's three principal components over its pixels as red, green and blue, each from its smallest value to its
 * largest: pixels of one colour have features that are alike. A component of which there is no more than rounding is
 * middle grey. A component's sign is such that its largest weight by size is positive, of equal ones the first. So the
 * same feature has the same colours everywhere; another picture's feature has components of its own.
 *
 * Computed in float64. Work grows with the square of the number of channels or of pixels, whichever is smaller, times
 * the other.
 *
 * @param feature `[1, C, H, W]` or `[C, H, W]`
 * @throws {@link ShapeError} for a batch, or where there are no pixels
 * @throws {@link ValueError} where a value isn't finite, or it isn't a tensor
 * @see sklearn.decomposition.PCA
 */
export function pcaToRgb(feature: Tensor, options: PcaOptions = {}): PcaRgb {
  const planes = planesOf('pcaToRgb', feature);
  const { width, height } = withDefaults('pcaToRgb', options, { width: planes.width, height: planes.height });
  checkImageSize('pcaToRgb', width, height, 4);
  const bad = planes.data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw new ValueError(`pcaToRgb: expected finite values, got ${describe(planes.data[bad])} at ${bad}`);
  const { scores, variances, total } = components(planes);
  const picture = blank('pcaToRgb', width, height);
  picture.data.fill(255);
  for (const [color, own] of scores.entries()) {
    const values = interpolated(own, planes, { width, height });
    const { low, high } = rangeOf(own);
    for (let i = 0; i < values.length; i++) {
      picture.data[i * 4 + color] = variances[color] === 0 ? 128 : share(values[i]!, low, high) * 255;
    }
  }
  const explained = variances.map((variance) => (total > 0 ? variance / total : 0));
  return { ...picture, explained: explained as unknown as PcaRgb['explained'] };
}

/** How many components are followed: more than three, so that the three converge fast. */
const FOLLOWED = 8;

/** The part of a feature's squares below which there are roundings of float32 alone: two units in the last place. */
const ROUNDING = 2 ** -44;

/** Components by subspace iteration on the smaller Gram matrix; those of roundings alone have no variance. */
function components({ data, channels, height, width }: Planes) {
  const pixels = height * width;
  const centred = allocate('pcaToRgb', Float64Array, data.length);
  let total = 0;
  let squares = 0;
  for (let c = 0; c < channels; c++) {
    let mean = 0;
    for (let i = 0; i < pixels; i++) mean += data[c * pixels + i]! / pixels;
    for (let i = 0; i < pixels; i++) {
      const value = data[c * pixels + i]! - mean;
      centred[c * pixels + i] = value;
      total += value * value;
      squares += data[c * pixels + i]! ** 2;
    }
  }
  // Rows are channels; the Gram matrix is that of rows, or of columns where these are fewer.
  const ofRows = channels <= pixels;
  const size = Math.min(channels, pixels);
  const gram = ofRows ? gramOfRows(centred, channels, pixels) : gramOfColumns(centred, channels, pixels);
  const { vectors, values } = leading(gram, size);
  const scores = [0, 1, 2].map((k) => {
    const vector = vectors[k];
    const value = Math.max(values[k] ?? 0, 0);
    const own = new Float64Array(pixels);
    if (!vector || value === 0) return own;
    const weights = ofRows ? vector : timesColumns(centred, vector, channels);
    if (ofRows) {
      for (let c = 0; c < channels; c++)
        for (let i = 0; i < pixels; i++) own[i]! += vector[c]! * centred[c * pixels + i]!;
    } else {
      own.set(vector.map((x) => x * Math.sqrt(value)));
    }
    return isNegative(weights) ? own.map((x) => -x) : own;
  });
  const variances = [0, 1, 2].map((k) => (values[k]! > ROUNDING * squares ? values[k]! : 0));
  return { scores, variances, total };
}

/** Whether the largest weight by size is negative; sizes within rounding of each other count as equal. */
function isNegative(weights: Float64Array): boolean {
  const most = weights.reduce((size, weight) => Math.max(size, Math.abs(weight)), 0);
  return weights.find((weight) => Math.abs(weight) >= most * (1 - 1e-9))! < 0;
}

/** X·Xᵀ of rows. */
function gramOfRows(x: Float64Array, rows: number, columns: number): Float64Array {
  const gram = new Float64Array(rows * rows);
  for (let a = 0; a < rows; a++) {
    for (let b = 0; b <= a; b++) {
      let sum = 0;
      for (let i = 0, p = a * columns, q = b * columns; i < columns; i++) sum += x[p++]! * x[q++]!;
      gram[a * rows + b] = gram[b * rows + a] = sum;
    }
  }
  return gram;
}

/** Xᵀ·X, row after row. */
function gramOfColumns(x: Float64Array, rows: number, columns: number): Float64Array {
  const gram = new Float64Array(columns * columns);
  for (let r = 0; r < rows; r++) {
    const row = x.subarray(r * columns, (r + 1) * columns);
    for (let a = 0; a < columns; a++) {
      const factor = row[a]!;
      for (let b = 0, to = a * columns; b < columns; b++) gram[to++]! += factor * row[b]!;
    }
  }
  return gram;
}

/** X·v: what each channel weighs in a component that is known by its pixels. */
function timesColumns(x: Float64Array, vector: Float64Array, rows: number): Float64Array {
  return Float64Array.from({ length: rows }, (_, r) => {
    let sum = 0;
    for (let i = 0, at = r * vector.length; i < vector.length; i++) sum += x[at++]! * vector[i]!;
    return sum;
  });
}

/** The most rounds of the iteration; close components take the most. */
const MOST_ROUNDS = 300;

/** The leading eigenvectors of a symmetric matrix that isn't negative, and their values, in descending order. */
function leading(matrix: Float64Array, size: number) {
  const count = Math.min(FOLLOWED, size);
  let basis = orthonormal(Array.from({ length: count }, (_, k) => start(size, k)));
  let before: readonly number[] = [];
  for (let round = 0; ; round++) {
    const images = basis.map((vector) => times(matrix, vector));
    // The best of the subspace: eigenvectors of the small matrix of products.
    const small = basis.map((vector) => images.map((image) => dot(vector, image)));
    const { values, rotation } = jacobi(small);
    const rotate = (all: readonly Float64Array[]) =>
      rotation.map((weights) => {
        const out = new Float64Array(size);
        for (const [k, weight] of weights.entries()) for (let i = 0; i < size; i++) out[i]! += weight * all[k]![i]!;
        return out;
      });
    const settled = values.slice(0, 3).every((value, k) => Math.abs(value - before[k]!) <= 1e-15 * values[0]!);
    if ((settled && round > 2) || round === MOST_ROUNDS || count === size) return { vectors: rotate(basis), values };
    before = values;
    basis = orthonormal(rotate(images));
  }
}

/** A start vector without a pattern, the same on each run. */
function start(size: number, seed: number): Float64Array {
  let state = seed * 7919 + 12345;
  return Float64Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** The vectors made perpendicular and of length 1, one after another, twice for the sake of rounding. */
function orthonormal(vectors: readonly Float64Array[]): Float64Array[] {
  const done: Float64Array[] = [];
  for (const [k, vector] of vectors.entries()) {
    let one = vector;
    for (let attempt = 0; ; attempt++) {
      const length = Math.sqrt(dot(one, one));
      for (let pass = 0; pass < 2; pass++) {
        for (const other of done) {
          const part = dot(one, other);
          for (let i = 0; i < one.length; i++) one[i]! -= part * other[i]!;
        }
      }
      const rest = Math.sqrt(dot(one, one));
      if (rest > length * 1e-10) {
        done.push(one.map((x) => x / rest));
        break;
      }
      // It lay among the others, or was zero: any other direction will do.
      one = start(vector.length, k + 31 * (attempt + 1));
    }
  }
  return done;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function times(matrix: Float64Array, vector: Float64Array): Float64Array {
  return vector.map((_, row) => dot(matrix.subarray(row * vector.length, (row + 1) * vector.length), vector));
}

/**
 * Eigenvalues of a small symmetric matrix in descending order, and an eigenvector for each, by Jacobi's rotations.
 */
function jacobi(given: readonly (readonly number[])[]) {
  const n = given.length;
  const a = given.map((row) => [...row]);
  const vectors = given.map((_, i) => given.map((_, j): number => (i === j ? 1 : 0)));
  for (let sweep = 0; sweep < 30; sweep++) {
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        if (a[p]![q] === 0) continue;
        const theta = (a[q]![q]! - a[p]![p]!) / (2 * a[p]![q]!);
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const c = 1 / Math.sqrt(t * t + 1);
        const s = t * c;
        for (let i = 0; i < n; i++) {
          const [x, y] = [a[i]![p]!, a[i]![q]!];
          a[i]![p] = c * x - s * y;
          a[i]![q] = s * x + c * y;
        }
        for (let i = 0; i < n; i++) {
          const [x, y] = [a[p]![i]!, a[q]![i]!];
          a[p]![i] = c * x - s * y;
          a[q]![i] = s * x + c * y;
          const [v, w] = [vectors[p]![i]!, vectors[q]![i]!];
          vectors[p]![i] = c * v - s * w;
          vectors[q]![i] = s * v + c * w;
        }
        a[p]![q] = a[q]![p] = 0;
      }
    }
  }
  const order = given.map((_, i) => i).sort((i, j) => a[j]![j]! - a[i]![i]!);
  return { values: order.map((i) => a[i]![i]!), rotation: order.map((i) => vectors[i]!) };
}
