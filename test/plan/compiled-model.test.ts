/** A compiled model's memory: flat over runs, bounded over shapes, gone with the model; and its runs, which repeat to the bit. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { MemoryError } from '../../src/errors.ts';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import { BasicBlock, ResNet } from '../../src/models/resnet.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { fillParameters, generatedTensor } from '../support/generator.ts';

const small = () =>
  new IntermediateLayerGetter(fillParameters(new ResNet(BasicBlock, [1, 1, 1, 1])), { layer2: 'out', layer1: 'aux' });

describe('memory', () => {
  it('is flat over 1,000 runs', () => {
    const getter = small();
    const x = generatedTensor('input', [1, 3, 16, 16], 2);
    getter.forward(x);
    const before = getter.compiled!.memoryBytes;
    for (let i = 0; i < 1000; i++) getter.forward(x);
    expect(getter.compiled!.memoryBytes).toBe(before);
  });

  it('is bounded by the largest input over 200 runs of changing shapes', () => {
    const largest = small();
    largest.forward(generatedTensor('input', [1, 3, 64, 64], 2));
    const getter = small();
    const first = getter.forward(generatedTensor('input', [1, 3, 17, 23], 2)).get('out')!;
    for (let i = 0; i < 200; i++) {
      getter.forward(generatedTensor('input', [1, 3, 8 + ((i * 7) % 57), 8 + ((i * 13) % 57)], 2));
    }
    getter.forward(generatedTensor('input', [1, 3, 64, 64], 2));
    expect(getter.compiled!.memoryBytes).toBeLessThanOrEqual(largest.compiled!.memoryBytes);
    expect(getter.forward(generatedTensor('input', [1, 3, 17, 23], 2)).get('out')!.data).toEqual(first.data);
  });

  it('holds each weight once for input shapes that take the same algorithms', () => {
    const getter = small();
    getter.forward(generatedTensor('input', [1, 3, 64, 64], 2));
    const packed = getter.compiled!.constantBytes;
    getter.forward(generatedTensor('input', [1, 3, 62, 64], 2));
    expect(getter.compiled!.constantBytes).toBe(packed);
  });

  it('that a plan needs beyond what there is is refused, and the model stays usable', () => {
    const conv = fillParameters(new Conv2d(1, 4096, 1));
    const x = generatedTensor('input', [1, 1, 600, 600], 2);
    expect(() => conv.call(x)).toThrow(MemoryError);
    expect(() => conv.call(x)).toThrow(
      /^layertap: expected \d+ bytes of WebAssembly memory for weights and activations, got \d+ \(/,
    );
    expect(conv.call(generatedTensor('input', [1, 1, 2, 2], 2)).shape).toEqual([1, 4096, 2, 2]);
  });

  it('goes with the model', async () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const dropped = (() => {
      const getter = small();
      getter.forward(generatedTensor('input', [1, 3, 16, 16], 2));
      return new WeakRef(getter.compiled!);
    })();
    for (let i = 0; i < 20 && dropped.deref(); i++) {
      await new Promise((resolve) => setImmediate(resolve));
      gc();
    }
    expect(dropped.deref()).toBeUndefined();
  });
});

describe('runs', () => {
  it('repeat to the bit, whatever ran between', () => {
    const getter = small();
    const [x, z] = [generatedTensor('input', [1, 3, 33, 31], 2), generatedTensor('other', [1, 3, 33, 31], 2)];
    const first = getter.forward(x).get('out')!.data;
    const other = getter.forward(z).get('out')!.data;
    expect(other).not.toEqual(first);
    getter.forward(generatedTensor('input', [2, 3, 21, 47], 2));
    expect(getter.forward(x).get('out')!.data).toEqual(first);
  });
});
