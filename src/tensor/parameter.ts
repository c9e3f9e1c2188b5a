/** Places for a module's tensors: they have a shape from the start, and values once a state dict is loaded. */

import { DtypeError, describe, ShapeError, ValueError } from '../errors.ts';
import { finite, withDefaults } from '../options.ts';
import { DTYPES, type Dtype, itemBytes } from './dtype.ts';
import { checkShape, formatShape, numel, type Shape, sameShape } from './shape.ts';
import { Tensor } from './tensor.ts';

/** @internal Changes of all modules and parameters: while there are none, no call has to look for any. */
export const changes = { count: 0 };

/**
 * A learned tensor of a module, e.g. a weight. Constructing one allocates nothing: its values are `fill` where that is
 * given (as batch norm's ones and zeros), otherwise none until a state dict is loaded.
 */
export class Parameter {
  readonly shape: Shape;
  readonly dtype: Dtype;
  readonly #fill: number | null;
  #tensor: Tensor | null = null;
  #version = 0;
  #isReleased = false;

  constructor(shape: Shape, options: { readonly fill?: number; readonly dtype?: Dtype } = {}) {
    checkShape('Parameter', shape);
    const { fill, dtype } = withDefaults('Parameter', options, { fill: null, dtype: 'float32' as const });
    if (!DTYPES.includes(dtype)) {
      throw new DtypeError(`Parameter: expected a dtype of ${DTYPES.join(', ')}, got ${describe(dtype)}`);
    }
    this.shape = Object.freeze([...shape]);
    this.dtype = dtype;
    this.#fill = fill === null ? null : finite('Parameter: fill', fill);
  }

  /** The number of elements. */
  numel(): number {
    return numel(this.shape);
  }

  /** Bytes of all elements in the parameter's own dtype. */
  get byteLength(): number {
    return this.numel() * itemBytes(this.dtype);
  }

  /** Counts the times that values were set, so that what was derived from them can be made anew. */
  get version(): number {
    return this.#version;
  }

  /** True where values are known: loaded, or given by `fill`. */
  get hasValues(): boolean {
    return this.#tensor !== null || (this.#fill !== null && !this.#isReleased);
  }

  /** True where values were let go by {@link release}, and none have been set since. */
  get isReleased(): boolean {
    return this.#isReleased;
  }

  /** Lets the values go: there are none until they are set again. */
  release(): void {
    this.#tensor = null;
    this.#isReleased = true;
    this.#changed();
  }

  /** The values in the dtype they came in. @throws {@link ValueError} where there are none yet */
  get tensor(): Tensor {
    if (this.#tensor) return this.#tensor;
    if (this.#fill === null || this.#isReleased) {
      throw new ValueError(
        `Parameter: expected values for shape ${formatShape(this.shape)}, got none; load a state dict first`,
      );
    }
    const isInteger = this.dtype === 'int64';
    const data = isInteger
      ? new BigInt64Array(this.numel()).fill(BigInt(this.#fill))
      : new Float32Array(this.numel()).fill(this.#fill);
    return new Tensor(data, this.shape, isInteger ? 'int64' : 'float32');
  }

  /** Sets the values: kept as they are, not copied. @throws {@link ShapeError} where the shape differs */
  set tensor(tensor: Tensor) {
    if (!(tensor instanceof Tensor)) throw new ValueError(`Parameter: expected a Tensor, got ${describe(tensor)}`);
    tensor.checkAttached();
    if (!sameShape(tensor.shape, this.shape)) {
      throw new ShapeError(
        `Parameter: expected a tensor of shape ${formatShape(this.shape)}, got ${formatShape(tensor.shape)}`,
      );
    }
    this.#tensor = tensor;
    this.#isReleased = false;
    this.#changed();
  }

  #changed(): void {
    this.#version++;
    changes.count++;
  }

  /** @internal @throws {@link ValueError} where the values' array was transferred, and they are gone */
  checkAttached(): void {
    this.#tensor?.checkAttached();
  }

  /** The values as float32. */
  values(): Float32Array {
    return this.tensor.float().data;
  }
}

/** A tensor of a module that isn't learned but saved with it, e.g. running statistics. */
export class Buffer extends Parameter {}

/** Values that a module's code knows: no state dict holds them. A module keeps one in a private field. */
export class Constant extends Parameter {
  constructor(tensor: Tensor) {
    super(tensor.shape);
    this.tensor = tensor;
  }
}
