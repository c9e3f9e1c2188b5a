/** A tensor: shape, dtype and data in row-major order. It owns no WASM memory, so nothing needs to be disposed. */

import { DtypeError, ShapeError } from '../errors.ts';
import { arrayOf, bfloat16ToNumber, DTYPES, type Dtype, float16ToNumber, type TensorData } from './dtype.ts';
import { formatShape, numel, type Shape } from './shape.ts';

/** Dense values in row-major order; images are `[N, C, H, W]`. */
export class Tensor<Data extends TensorData = TensorData> {
  readonly shape: Shape;
  readonly dtype: Dtype;
  /** The elements in row-major order; float16 and bfloat16 as their bits. Not copied. */
  readonly data: Data;

  /**
   * @param data as many elements as `shape` asks for, in the array that `dtype` uses
   * @param dtype float32 unless given
   * @throws {@link ShapeError} where a size isn't a whole number ≥ 0, or `data` has another length
   * @throws {@link DtypeError} where `data` isn't the array of `dtype`
   */
  constructor(data: Data, shape: Shape, dtype: Dtype = 'float32') {
    if (!Array.isArray(shape) || !shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
      const got = Array.isArray(shape) ? formatShape(shape) : String(shape);
      throw new ShapeError(`Tensor: expected sizes that are whole numbers >= 0, got ${got}`);
    }
    if (!DTYPES.includes(dtype)) {
      throw new DtypeError(`Tensor: expected a dtype of ${DTYPES.join(', ')}, got "${String(dtype)}"`);
    }
    const expected = arrayOf(dtype) as unknown as { readonly name: string; new (n: number): TensorData };
    if (!(data instanceof expected)) {
      const got = (data as object | null | undefined)?.constructor?.name ?? String(data);
      throw new DtypeError(`Tensor: expected a ${expected.name} for ${dtype}, got ${got}`);
    }
    if (numel(shape) !== data.length) {
      throw new ShapeError(
        `Tensor: expected ${numel(shape)} elements for shape ${formatShape(shape)}, got ${data.length}`,
      );
    }
    this.shape = Object.freeze([...shape]);
    this.dtype = dtype;
    this.data = data;
  }

  /** The number of elements. */
  numel(): number {
    return this.data.length;
  }

  /** Bytes of all elements. */
  get byteLength(): number {
    return this.data.byteLength;
  }

  /**
   * The values as float32: this very tensor where it is float32 already, a converted copy otherwise.
   * float64 is rounded to nearest; int64 beyond 2⁵³ is rounded twice.
   */
  float(): Tensor<Float32Array> {
    if (this.dtype === 'float32') return this as unknown as Tensor<Float32Array>;
    const { data, dtype } = this;
    const out = new Float32Array(data.length);
    const read = dtype === 'float16' ? float16ToNumber : dtype === 'bfloat16' ? bfloat16ToNumber : Number;
    for (let i = 0; i < out.length; i++) out[i] = read(data[i] as number);
    return new Tensor(out, this.shape);
  }

  /** For logs: `Tensor(float32, [1, 3, 224, 224])`. */
  toString(): string {
    return `Tensor(${this.dtype}, ${formatShape(this.shape)})`;
  }
}

/** A float32 tensor of zeros. */
export function zeros(shape: Shape): Tensor<Float32Array> {
  return new Tensor(new Float32Array(numel(shape)), shape);
}

/** A float32 tensor with the given values, e.g. `tensor([1, 2, 3, 4], [1, 1, 2, 2])`. */
export function tensor(values: ArrayLike<number>, shape: Shape): Tensor<Float32Array> {
  return new Tensor(Float32Array.from(values), shape);
}
