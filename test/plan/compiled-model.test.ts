/**
 * A compiled model's memory: flat over runs, bounded over shapes, gone with the model; and its runs, which repeat to
 * the bit.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { MemoryError } from '../../src/errors.ts';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { BasicBlock, ResNet } from '../../src/models/resnet.ts';
import { BatchNorm2d } from '../../src/nn/batchnorm.ts';
import { Sequential } from '../../src/nn/container.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { Flatten } from '../../src/nn/flatten.ts';
import { Identity, Linear } from '../../src/nn/linear.ts';
import { Module } from '../../src/nn/module.ts';
import { AdaptiveAvgPool2d } from '../../src/nn/pooling.ts';
import { Upsample } from '../../src/nn/upsampling.ts';
import type { Op } from '../../src/ops/op.ts';
import { type Dtype, numberToFloat16, type TensorData } from '../../src/tensor/dtype.ts';
import { Tensor, zeros } from '../../src/tensor/tensor.ts';
import { f32_copy } from '../../src/wasm/steps.gen.ts';
import { compiledModel } from '../support/binaries.ts';
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

  it('holds norms apart that share one of their tensors, whichever that is', () => {
    const x = generatedTensor('input', [1, 6, 5, 4], 2);
    for (const name of ['weight', 'bias', 'running_mean', 'running_var'] as const) {
      const model = fillParameters(new Sequential(new BatchNorm2d(6), new BatchNorm2d(6)));
      const [first, second] = [model.at(0) as BatchNorm2d, model.at(1) as BatchNorm2d];
      second[name]!.tensor = first[name]!.tensor;
      const apart = model.call(x).data;
      second[name] = first[name]!;
      expect(model.call(x).data, name).toEqual(apart);
    }
  });

  it('is written from weights of any dtype as from the same numbers in float32', () => {
    const x = generatedTensor('input', [1, 6, 9, 8], 2);
    // A dense layer, a depthwise one, one of Winograd's, one whose groups are packed as one, and a linear one; odd
    // sizes.
    const model = new Sequential(
      new Conv2d(6, 24, 1),
      new Conv2d(24, 24, 3, { padding: 1, groups: 24 }),
      new Conv2d(24, 21, 3, { padding: 1 }),
      new Conv2d(21, 21, 3, { groups: 7 }),
      new AdaptiveAvgPool2d(1),
      new Flatten(),
      new Linear(21, 5),
    );
    const values = [...fillParameters(model).stateDict()];
    const arrays = {
      float16: (from: Float32Array) => Uint16Array.from(from, numberToFloat16),
      bfloat16: (from: Float32Array) => new Uint16Array(from.buffer).filter((_, i) => i % 2 === 1),
      float64: (from: Float32Array) => Float64Array.from(from, (v) => v / 3),
    };
    for (const [dtype, convert] of Object.entries(arrays) as [Dtype, (from: Float32Array) => TensorData][]) {
      const given = values.map(([key, { data, shape }]) => {
        return [key, new Tensor(convert(data as Float32Array), shape, dtype)] as const;
      });
      model.loadStateDict(given);
      const out = model.call(x).data;
      model.loadStateDict(given.map(([key, tensor]) => [key, tensor.float()] as const));
      expect(out, dtype).toEqual(model.call(x).data);
    }
  });

  it('that a plan needs beyond what there is is refused, and the model stays usable', () => {
    const conv = fillParameters(new Conv2d(1, 4096, 1));
    const x = generatedTensor('input', [1, 1, 600, 600], 2);
    expect(() => conv.call(x)).toThrow(MemoryError);
    expect(conv.call(generatedTensor('input', [1, 1, 2, 2], 2)).shape).toEqual([1, 4096, 2, 2]);
  });

  it('is untouched by a shape that no host has room for', () => {
    const upsample = new Upsample({ scaleFactor: 10_000 });
    const model = new Sequential(fillParameters(new Conv2d(3, 8, 1)), upsample);
    const small = generatedTensor('input', [1, 3, 6, 6], 2);
    // Without the upsampling there is a result to compare.
    const before = model.at(0).call(small).data;
    expect(() => model.call(small)).toThrow(
      /^layertap: expected a plan within 4294967296 bytes of WebAssembly memory, got at least 1152\d{8} /,
    );
    expect(model.compiled!.memoryBytes).toBeLessThanOrEqual(65536);
    expect(model.compiled!.constantBytes).toBe(0);
    expect(() => model.call(small)).toThrow(MemoryError);
    expect(model.at(0).call(small).data).toEqual(before);
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

  it('are right for more shapes than plans are kept, in any order', () => {
    const getter = small();
    const sizes = Array.from({ length: 20 }, (_, i) => 8 + i);
    const run = (size: number) => getter.forward(generatedTensor('input', [1, 3, size, 9], 2)).get('out')!;
    const first = sizes.map(run);
    for (const i of [0, 19, 3, 1, 18, 0, 2]) expect(run(sizes[i]!)).toEqual(first[i]);
  });

  it('tell apart equal shapes with other taps', () => {
    const getter = small();
    const x = generatedTensor('input', [1, 3, 20, 20], 2);
    const all = getter.forward(x);
    for (const only of [['aux'], ['out'], [], ['out', 'aux']] as const) {
      const features = getter.forward(x, { only });
      expect([...features.keys()].sort()).toEqual([...only].sort());
      for (const [name, { data }] of features) expect(data).toEqual(all.get(name)!.data);
    }
  });

  it('may have more phases than a call takes arguments', () => {
    const step = f32_copy({ pixels: 0, channels: 0, x: 0, pixelBytes: 0, out: 0, outBytes: 0 });
    const op: Op<null> = {
      name: 'long',
      inferShape: ([x]) => x!,
      algorithms: [{ name: 'direct', prepare: () => ({ phases: () => Array(300_000).fill([step]) }) }],
    };
    const graph = new Graph([[1, 4]]);
    const model = compiledModel('simd');
    const plan = model.plan(graph.program([graph.record(op, graph.inputs, null)]));
    expect(model.run(plan, [zeros([1, 4])])[0]!.shape).toEqual([1, 4]);
    expect(plan.phases).toHaveLength(300_000);
  });

  it('give back an input that is a tap, one value under two names, and nothing where nothing is asked for', () => {
    class Blocks extends Module {
      readonly first = new Identity();
      readonly second = fillParameters(new Conv2d(5, 6, 1));
      readonly third = new Identity();
      forward(x: Value): Value {
        return this.third.call(this.second.call(this.first.call(x)));
      }
    }
    const x = generatedTensor('input', [2, 5, 3, 4], 2);
    const getter = new IntermediateLayerGetter(new Blocks(), { first: 'x', second: 'y', third: 'z' });
    const features = getter.forward(x);
    expect(features.get('x')!.data).toEqual(x.data);
    expect(features.get('z')!.data).toEqual(features.get('y')!.data);
    expect(features.get('z')!.shape).toEqual([2, 6, 3, 4]);
    expect(new IntermediateLayerGetter(new Blocks(), {}).forward(x).size).toBe(0);
  });
});
