/** A tensor: shape, dtype and data in row-major order. It owns no WASM memory, so nothing needs to be disposed. */

import { DtypeError, describe, ShapeError, ValueError } from '../errors.ts';
import { arrayOf, bfloat16ToNumber, DTYPES, type Dtype, dtypeOf, float16ToNumber, type TensorData } from './dtype.ts';
import { checkShape, formatShape, numel, type Shape } from './shape.ts';

/** Dense values in row-major order; images are `[N, C, H, W]`. */
export class Tensor<Data extends TensorData = TensorData> {
  readonly shape: Shape;
  readonly dtype: Dtype;
  /** The elements in row-major order; float16 and bfloat16 as their bits. Not copied. */
  readonly data: Data;

  /**
   * @param data as many elements as `shape` asks for, in the array that `dtype` uses
   * @param dtype unless given, the array's: float32 of a Float32Array, int64 of a BigInt64Array, uint8 of a Uint8Array.
   *   A Uint16Array holds float16 or bfloat16 and needs it
   * @throws {@link ShapeError} where a size isn't a whole number ≥ 0, or `data` has another length
   * @throws {@link DtypeError} where `data` isn't the array of `dtype`
   */
  constructor(data: Data, shape: Shape, dtype: Dtype | undefined = dtypeOf(data)) {
    if (Array.isArray(data) && ArrayBuffer.isView(shape)) {
      throw new ShapeError('Tensor: expected the data, then the shape, got them in the other order');
    }
    checkShape('Tensor', shape);
    if (!ArrayBuffer.isView(data)) {
      throw new DtypeError(
        `Tensor: expected a typed array, got ${describe(data)}; tensor(values, shape) takes numbers`,
      );
    }
    if (dtype === undefined) {
      throw new DtypeError(
        `Tensor: expected the dtype of ${describe(data)}, got none; for 16 bits it is 'float16' or 'bfloat16'`,
      );
    }
    if (!DTYPES.includes(dtype)) {
      throw new DtypeError(`Tensor: expected a dtype of ${DTYPES.join(', ')}, got ${describe(dtype)}`);
    }
    const expected = arrayOf(dtype) as unknown as { readonly name: string; new (n: number): TensorData };
    if (!(data instanceof expected)) {
      throw new DtypeError(`Tensor: expected a ${expected.name} for ${dtype}, got ${describe(data)}`);
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
    this.checkAttached();
    if (this.dtype === 'float32') return this as unknown as Tensor<Float32Array>;
    const { data, dtype } = this;
    const out = new Float32Array(data.length);
    const read = dtype === 'float16' ? float16ToNumber : dtype === 'bfloat16' ? bfloat16ToNumber : Number;
    for (let i = 0; i < out.length; i++) out[i] = read(data[i] as number);
    return new Tensor(out, this.shape);
  }

  /** @internal @throws {@link ValueError} where the data was transferred, e.g. to a worker, and is gone */
  checkAttached(): void {
    if (this.data.length === numel(this.shape)) return;
    throw new ValueError(
      `Tensor: expected the ${numel(this.shape)} elements of ${formatShape(this.shape)}, got ${this.data.length}: ` +
        'the array was transferred; post a copy',
    );
  }

  /** For logs: `Tensor(float32, [1, 3, 224, 224])`. */
  toString(): string {
    return `Tensor(${this.dtype}, ${formatShape(this.shape)})`;
  }

  /** For console.log: {@link toString} and the first elements as `data` has them. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    // Of data that was transferred nothing can be read.
    return `${this} [${this.data.length === 0 ? '' : this.data.slice(0, 6)}]`;
  }

  /**
   * For JSON.stringify: the elements as numbers in row-major order, without the shape. JSON writes NaN and infinities
   * as null.
   */
  toJSON(): number[] {
    return [...this.float().data];
  }
}

/** A float32 tensor of zeros. */
export function zeros(shape: Shape): Tensor<Float32Array> {
  checkShape('zeros', shape);
  return new Tensor(new Float32Array(numel(shape)), shape);
}

/** A float32 tensor with the given values, e.g. `tensor([1, 2, 3, 4], [1, 1, 2, 2])`. */
export function tensor(values: ArrayLike<number>, shape: Shape): Tensor<Float32Array> {
  if (typeof values !== 'object' || values === null || !Number.isSafeInteger(values.length)) {
    throw new ValueError(`tensor: expected an array of numbers, got ${describe(values)}`);
  }
  checkShape('tensor', shape);
  for (let i = 0; i < values.length; i++) {
    if (typeof values[i] === 'number') continue;
    throw new ValueError(
      `tensor: expected numbers alone, got ${describe(values[i])} at ${i}; nested arrays go in flat, then the shape`,
    );
  }
  return new Tensor(Float32Array.from(values), shape);
}
