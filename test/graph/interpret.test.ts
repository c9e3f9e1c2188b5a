/** What the interpreter refuses. What it computes is compared with PyTorch and with plans elsewhere. */

import { describe, expect, it } from 'vitest';
import { MemoryError } from '../../src/errors.ts';
import { interpret } from '../../src/graph/interpret.ts';
import { interpolate } from '../../src/nn/functional.ts';
import { zeros } from '../../src/tensor/tensor.ts';
import { programOf } from '../support/programs.ts';

describe('interpret', () => {
  it('refuses a value that no memory holds, before anything is computed', () => {
    const program = programOf([[1, 1, 2, 2]], (x) => [interpolate(x, { size: [100_000, 100_000] })]);
    const run = () => interpret(program, [zeros([1, 1, 2, 2])]);
    expect(run).toThrow(MemoryError);
    expect(run).toThrow(
      "interpret: expected values of at most 4294967296 bytes, got 40000000000 for interpolate's [1, 1, 100000, 100000]",
    );
  });
});
