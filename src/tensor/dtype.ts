/** Element types, by PyTorch's names, and how one element becomes a JavaScript number. */

/** PyTorch's dtypes that weight files hold. Computation is in float32; the others are for reading and writing. */
export type Dtype =
  | 'float32'
  | 'float16'
  | 'bfloat16'
  | 'float64'
  | 'int64'
  | 'int32'
  | 'int16'
  | 'int8'
  | 'uint8'
  | 'bool';

/** The array that holds a tensor's elements: float16 and bfloat16 are kept as their 16 bits. */
export type TensorData =
  | Float32Array
  | Uint16Array
  | Float64Array
  | BigInt64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint8Array;

type DataConstructor = {
  readonly BYTES_PER_ELEMENT: number;
  new (length: number): TensorData;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): TensorData;
};

const ARRAYS: Readonly<Record<Dtype, DataConstructor>> = {
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  float64: Float64Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as unknown as Record<Dtype, DataConstructor>;

/** All dtypes. */
export const DTYPES = Object.keys(ARRAYS) as readonly Dtype[];

/** The typed array class of a dtype's elements. */
export function arrayOf(dtype: Dtype): DataConstructor {
  return ARRAYS[dtype];
}

/**
 * The dtype of an array's elements, where only one has that array: not of 16 bits; of 8 bits without a sign it is
 * uint8.
 */
export function dtypeOf(data: TensorData): Dtype | undefined {
  return data instanceof Uint16Array ? undefined : DTYPES.find((dtype) => data instanceof ARRAYS[dtype]);
}

/** Bytes of one element. */
export function itemBytes(dtype: Dtype): number {
  return ARRAYS[dtype].BYTES_PER_ELEMENT;
}

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

/** The number that an IEEE 754 binary16's bits stand for; exact. */
export function float16ToNumber(half: number): number {
  const sign = 1 - ((half >> 14) & 2);
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign / 0;
  return sign * (fraction + (exponent && 1024)) * 2 ** ((exponent || 1) - 25);
}

/**
 * The bits of the binary16 nearest to a number in float32, ties to even, as PyTorch's `half()`; overflow gives
 * infinity.
 */
export function numberToFloat16(value: number): number {
  float[0] = value;
  const word = bits[0]!;
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // A subnormal half, or one that rounds to the smallest normal: in units of 2⁻²⁴.
    const units = Math.abs(float[0]!) * 2 ** 24;
    const floor = Math.floor(units);
    const rest = units - floor;
    return sign | (floor + (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? 1 : 0));
  }
  const odd = (magnitude >>> 13) & 1;
  return sign | ((magnitude - 0x38000000 + 0xfff + odd) >>> 13);
}

/** The number that a bfloat16's bits stand for; exact. */
export function bfloat16ToNumber(half: number): number {
  bits[0] = half << 16;
  return float[0]!;
}
