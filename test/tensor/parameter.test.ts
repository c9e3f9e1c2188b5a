/** Parameters: which values they take, and what they know before they have some. */

import { describe, expect, it } from 'vitest';
import { Buffer, Parameter } from '../../src/tensor/parameter.ts';
import { Tensor, tensor, zeros } from '../../src/tensor/tensor.ts';
import { thrown } from '../support/thrown.ts';

describe('Parameter', () => {
  it('knows its shape and size before it has values, and allocates none', () => {
    const parameter = new Parameter([2 ** 20, 2 ** 20]);
    expect([parameter.shape, parameter.numel(), parameter.byteLength]).toEqual([[2 ** 20, 2 ** 20], 2 ** 40, 2 ** 42]);
    expect([parameter.dtype, parameter.hasValues, parameter.version]).toEqual(['float32', false, 0]);
  });

  it('says that it has no values', () => {
    expect(thrown(() => new Parameter([2, 3]).tensor)).toBe(
      'ValueError: Parameter: expected values for shape [2, 3], got none; load a state dict first',
    );
    expect(thrown(() => new Parameter([2, 3]).values())).toMatch(/^ValueError: Parameter: expected values/);
  });

  it('starts with what it is filled with', () => {
    const filled = new Parameter([2], { fill: 0.5 });
    expect(filled.hasValues).toBe(true);
    expect(filled.tensor).toEqual(tensor([0.5, 0.5], [2]));
    const count = new Buffer([], { fill: 3, dtype: 'int64' });
    expect(count.tensor).toEqual(new Tensor(BigInt64Array.of(3n), [], 'int64'));
    expect([...count.values()]).toEqual([3]);
    expect(count.byteLength).toBe(8);
  });

  it('keeps the tensor that it is given, and counts', () => {
    const parameter = new Parameter([2], { fill: 0 });
    const given = new Tensor(Uint16Array.of(0x3c00, 0xc000), [2], 'float16');
    parameter.tensor = given;
    expect(parameter.tensor).toBe(given);
    expect([...parameter.values()]).toEqual([1, -2]);
    expect(parameter.version).toBe(1);
    parameter.tensor = given;
    expect(parameter.version).toBe(2);
  });

  it('refuses a tensor of another shape, and keeps what it had', () => {
    const parameter = new Parameter([2], { fill: 1 });
    expect(
      thrown(() => {
        parameter.tensor = zeros([2, 1]);
      }),
    ).toBe('ShapeError: Parameter: expected a tensor of shape [2], got [2, 1]');
    expect([...parameter.values(), parameter.version]).toEqual([1, 1, 0]);
  });

  it('refuses shapes that are none', () => {
    expect(thrown(() => new Parameter([3, -1]))).toBe(
      'ShapeError: Parameter: expected an array of whole numbers >= 0, got [3, -1]',
    );
  });

  it('is what a buffer is, but for its name', () => {
    expect(new Buffer([1])).toBeInstanceOf(Parameter);
    expect(new Parameter([1])).not.toBeInstanceOf(Buffer);
  });
});
