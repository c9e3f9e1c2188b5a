/** Tensors: what they are made of, what is refused, and conversions. */

import { describe, expect, it } from 'vitest';
import { DTYPES } from '../../src/tensor/dtype.ts';
import { Tensor, tensor, zeros } from '../../src/tensor/tensor.ts';
import { thrown } from '../support/thrown.ts';

describe('Tensor', () => {
  it('has a shape, a dtype, its elements and their number', () => {
    const data = Float32Array.of(1, 2, 3, 4, 5, 6);
    const x = new Tensor(data, [1, 2, 3]);
    expect([x.shape, x.dtype, x.numel(), x.byteLength, String(x)]).toEqual([
      ...[[1, 2, 3], 'float32', 6, 24],
      'Tensor(float32, [1, 2, 3])',
    ]);
    expect(x.data).toBe(data);
  });

  it('copies and freezes its shape', () => {
    const shape = [1, 2];
    const x = new Tensor(new Float32Array(2), shape);
    shape[0] = 9;
    expect(x.shape).toEqual([1, 2]);
    expect(Object.isFrozen(x.shape)).toBe(true);
  });

  it('may be a scalar, or empty', () => {
    expect(new Tensor(Float32Array.of(3), []).numel()).toBe(1);
    expect(zeros([2, 0, 3]).numel()).toBe(0);
    expect([...tensor([1, 2.5], [2]).data]).toEqual([1, 2.5]);
  });

  it('refuses shapes that are none', () => {
    const make = (shape: unknown) => thrown(() => new Tensor(new Float32Array(1), shape as never));
    const message = 'ShapeError: Tensor: expected an array of whole numbers >= 0, got ';
    expect(make([1, -1])).toBe(`${message}[1, -1]`);
    expect(make([1.5])).toBe(`${message}[1.5]`);
    expect(make([NaN])).toBe(`${message}[NaN]`);
    expect(make(['1'])).toBe(`${message}["1"]`);
    expect(make(4)).toBe(`${message}4`);
    expect(make(undefined)).toBe(`${message}undefined`);
    expect(make(null)).toBe(`${message}null`);
  });

  it('refuses as many elements as the shape has not', () => {
    expect(thrown(() => new Tensor(new Float32Array(5), [2, 3]))).toBe(
      'ShapeError: Tensor: expected 6 elements for shape [2, 3], got 5',
    );
    expect(thrown(() => new Tensor(new Float32Array(0), []))).toBe(
      'ShapeError: Tensor: expected 1 elements for shape [], got 0',
    );
  });

  it('refuses an array that its dtype does not use', () => {
    const make = (data: unknown, dtype?: unknown) => thrown(() => new Tensor(data as never, [2], dtype as never));
    const wayOut = 'tensor(values, shape) takes numbers';
    expect(make([1, 2])).toBe(`DtypeError: Tensor: expected a typed array, got [1, 2]; ${wayOut}`);
    expect(make(null)).toBe(`DtypeError: Tensor: expected a typed array, got null; ${wayOut}`);
    expect(make(new DataView(new ArrayBuffer(2)))).toBe(
      "DtypeError: Tensor: expected the dtype of a DataView of 2, got none; for 16 bits it is 'float16' or 'bfloat16'",
    );
    expect(make(new Float32Array(2), 'float16')).toBe(
      'DtypeError: Tensor: expected a Uint16Array for float16, got a Float32Array of 2',
    );
    expect(make(new Float32Array(2), 'complex64')).toBe(
      'DtypeError: Tensor: expected a dtype of float32, float16, bfloat16, float64, int64, int32, int16, ' +
        'int8, uint8, bool, got "complex64"',
    );
    expect(DTYPES).toHaveLength(10);
  });

  it('knows the dtype from the array, but for 16 bits', () => {
    const dtypes = [Float32Array, Float64Array, Int32Array, Int16Array, Int8Array, Uint8Array].map(
      (Elements) => new Tensor(new Elements(2), [2]).dtype,
    );
    expect(dtypes).toEqual(['float32', 'float64', 'int32', 'int16', 'int8', 'uint8']);
    expect(new Tensor(new BigInt64Array(1), []).dtype).toBe('int64');
    expect(new Tensor(new Uint8Array(1), [], 'bool').dtype).toBe('bool');
    expect(thrown(() => new Tensor(new Uint16Array(2), [2]))).toBe(
      "DtypeError: Tensor: expected the dtype of a Uint16Array of 2, got none; for 16 bits it is 'float16' or 'bfloat16'",
    );
  });

  it('says in few words that data and shape came in the other order', () => {
    expect(thrown(() => new Tensor([1, 3, 224, 224] as never, new Float32Array(150528) as never))).toBe(
      'ShapeError: Tensor: expected the data, then the shape, got them in the other order',
    );
    expect(thrown(() => new Tensor(new Float32Array(150528), new Float32Array(150528) as never))).toBe(
      'ShapeError: Tensor: expected an array of whole numbers >= 0, got a Float32Array of 150528',
    );
  });

  it('notices that its array was transferred', () => {
    const x = new Tensor(new Int32Array(4), [2, 2]);
    structuredClone(x.data, { transfer: [x.data.buffer] });
    expect(thrown(() => x.float())).toBe(
      'ValueError: Tensor: expected the 4 elements of [2, 2], got 0: the array was transferred; post a copy',
    );
  });
});

describe('float', () => {
  it('is the very tensor where it is float32 already', () => {
    const x = zeros([2]);
    expect(x.float()).toBe(x);
  });

  it('converts integers and booleans exactly, where float32 holds them', () => {
    const cases = [
      new Tensor(BigInt64Array.of(-5n, 16777216n), [2], 'int64'),
      new Tensor(Int32Array.of(-5, 16777216), [2], 'int32'),
      new Tensor(Int16Array.of(-32768, 32767), [2], 'int16'),
      new Tensor(Int8Array.of(-128, 127), [2], 'int8'),
      new Tensor(Uint8Array.of(0, 255), [2], 'uint8'),
      new Tensor(Uint8Array.of(0, 1), [2], 'bool'),
    ];
    for (const x of cases) {
      const y = x.float();
      expect([y.dtype, y.shape]).toEqual(['float32', [2]]);
      expect([...y.data]).toEqual([...x.data].map(Number));
    }
  });

  it('rounds float64 and large integers to nearest', () => {
    const doubles = [0.1, 1 + 2 ** -24, 1 + 2 ** -24 + 2 ** -50, 1e300, -1e-300, NaN];
    expect([...new Tensor(Float64Array.from(doubles), [6], 'float64').float().data]).toEqual(doubles.map(Math.fround));
    expect([...new Tensor(BigInt64Array.of(16777217n), [1], 'int64').float().data]).toEqual([16777216]);
  });

  it('converts all bfloat16: the upper half of a float32', () => {
    const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const words = new Uint32Array(patterns).map((half) => half * 65536);
    expect(sameNumbers(new Tensor(patterns, [65536], 'bfloat16').float().data, new Float32Array(words.buffer))).toBe(
      true,
    );
  });

  it('converts all float16', () => {
    const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);
    expect(sameNumbers(new Tensor(patterns, [65536], 'float16').float().data, Float32Array.from(patterns, half))).toBe(
      true,
    );
  });
});

/** A binary16 by its digits in base two: sign, integer part, fraction. */
function half(pattern: number): number {
  const digits = pattern.toString(2).padStart(16, '0');
  const [sign, exponent, fraction] = [digits[0] === '1' ? '-' : '', digits.slice(1, 6), digits.slice(6)];
  if (exponent === '11111') return fraction.includes('1') ? NaN : Number(`${sign}Infinity`);
  const significand = Number.parseInt(`${exponent === '00000' ? 0 : 1}${fraction}`, 2);
  return Number(`${sign}${significand}`) * 2 ** (Math.max(1, Number.parseInt(exponent, 2)) - 25);
}

/** Equal elements, −0 and 0 being two. */
function sameNumbers(a: Float32Array, b: Float32Array): boolean {
  return a.length === b.length && a.every((v, i) => Object.is(v, b[i]));
}

describe('tensor and zeros', () => {
  it('refuse what is no list of numbers, and no shape', () => {
    expect(thrown(() => tensor(5 as never, [1]))).toBe('ValueError: tensor: expected an array of numbers, got 5');
    expect(thrown(() => tensor('12' as never, [2]))).toBe('ValueError: tensor: expected an array of numbers, got "12"');
    expect(thrown(() => tensor([[1, 2]] as never, [1, 2]))).toBe(
      'ValueError: tensor: expected numbers alone, got [1, 2] at 0; nested arrays go in flat, then the shape',
    );
    expect(thrown(() => tensor([1], undefined as never))).toBe(
      'ShapeError: tensor: expected an array of whole numbers >= 0, got undefined',
    );
    expect(thrown(() => zeros(4 as never))).toBe('ShapeError: zeros: expected an array of whole numbers >= 0, got 4');
  });
});
