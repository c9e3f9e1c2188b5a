/** Ops of a user's own: what they compute, that they are tapped like others, and what is refused. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import type { Value } from '../../src/graph/graph.ts';
import { Sequential } from '../../src/nn/container.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { customOp } from '../../src/nn/custom-op.ts';
import { channelShuffle, relu } from '../../src/nn/functional.ts';
import { Module } from '../../src/nn/module.ts';
import { Parameter } from '../../src/tensor/parameter.ts';
import { Tensor, tensor } from '../../src/tensor/tensor.ts';
import { ThreadPool } from '../../src/threads/index.ts';
import { fillParameters } from '../support/generator.ts';
import { thrown } from '../support/thrown.ts';
import { noise } from './support.ts';

const square = customOp({
  name: 'square',
  inferShape: ([x]) => x!,
  compute: ([x]) => x!.data.map((v) => v * v),
});

/** Rows of each image the other way round, beside their sums with another value: two inputs, another shape. */
const flip = customOp({
  name: 'flip',
  inferShape: ([x]) => [x![0]!, x![1]!, x![3]!],
  compute: ([x, y]) => {
    const [n, c, h, w] = x!.shape as [number, number, number, number];
    const out = new Float32Array(n * c * w);
    x!.data.forEach((v, i) => {
      out[Math.floor(i / (h * w)) * w + (w - 1 - (i % w))]! += v + y!.data[i]!;
    });
    return new Tensor(out, [n, c, w]);
  },
});

class Squared extends Module {
  forward(x: Value): Value {
    return square(x);
  }
}

const network = fillParameters(new Sequential(new Conv2d(3, 6, 3), new Squared(), new Conv2d(6, 5, 1)));
const x = noise('x', [2, 3, 7, 5]);

describe('customOp', () => {
  it('computes in the midst of kernels, on dense values in the order of PyTorch', () => {
    const before = network.at(0).call(x) as Tensor<Float32Array>;
    const squared = new Tensor(
      before.data.map((v) => v * v),
      before.shape,
    );
    expect(network.call(x)).toEqual(network.at(2).call(squared));
    expect(network.compiled!.steps.map(({ op, algorithm }) => `${op} ${algorithm}`)[1]).toBe('square host');
  });

  it('takes parameters of the module, whose changes count', () => {
    const scaled = customOp({
      name: 'scaled',
      inferShape: ([shape]) => shape!,
      compute: ([image, factor]) => image!.data.map((v) => v * factor!.data[0]!),
    });
    class Scaled extends Module {
      readonly factor = new Parameter([1]);
      forward(image: Value): Value {
        return scaled(image, this.factor);
      }
    }
    const scaling = new Scaled();
    for (const factor of [2, -3]) {
      scaling.loadStateDict([['factor', tensor([factor], [1])]]);
      expect(scaling.call(x).data).toEqual(x.data.map((v) => v * factor));
    }
    class None extends Module {
      forward(): Value {
        return (square as () => Value)();
      }
    }
    expect(thrown(() => new None().call(x))).toBe(
      'ValueError: square: expected values, as forward() gets them, got undefined; to compute with a Tensor, use ' +
        'module.call(x)',
    );
  });

  it('takes several inputs and gives another shape', () => {
    class Flipped extends Module {
      forward(x: Value): Value {
        return flip(x, channelShuffle(x, 3));
      }
    }
    const image = new Tensor(
      Float32Array.from({ length: 12 }, (_, i) => i),
      [1, 3, 2, 2],
    );
    const sums = [0, 1, 2].flatMap((c) => [1, 0].map((w) => 2 * (8 * c + 2 * w + 2)));
    expect(new Flipped().call(image)).toEqual(new Tensor(Float32Array.from(sums), [1, 3, 2]));
  });

  it('is tapped like any other value', () => {
    const features = new IntermediateLayerGetter(network, { 1: 'squared' }).forward(x);
    const [conv] = [network.at(0).call(x) as Tensor<Float32Array>];
    expect(features.get('squared')!.data).toEqual(conv.data.map((v) => v * v));
  });

  it('gives an empty tensor for an empty batch, without computing', () => {
    expect((network.call(new Tensor(new Float32Array(0), [0, 3, 7, 5])) as Tensor).shape).toEqual([0, 5, 5, 3]);
  });

  it('refuses parts that are missing, and results of another size', () => {
    for (const name of [undefined, '', 7]) {
      expect(thrown(() => customOp({ name, inferShape: () => [1], compute: () => [] } as never))).toBe(
        `ValueError: customOp: expected name as a string that isn't empty, got ${JSON.stringify(name)}`,
      );
    }
    const turned = customOp({
      name: 'f',
      inferShape: ([s]) => s!,
      compute: ([t]) => new Tensor(t!.data.slice(), [210]),
    });
    class Turned extends Module {
      forward(value: Value): Value {
        return turned(value);
      }
    }
    expect(thrown(() => new Turned().call(x))).toBe(
      'ShapeError: f: expected compute to give a Float32Array of 210 for [2, 3, 7, 5], got a Tensor (float32, [210])',
    );
    expect(thrown(() => customOp({ name: 'f', inferShape: () => [1] } as never))).toBe(
      'ValueError: customOp f: compute: expected a function, got undefined',
    );
    expect(thrown(() => customOp({ name: 'f', backward: 1 } as never))).toBe(
      'ValueError: customOp: expected options of name, inferShape, compute, got "backward"',
    );
    const short = customOp({ name: 'short', inferShape: ([x]) => x!, compute: () => new Float32Array(3) });
    class Short extends Module {
      forward(x: Value): Value {
        return short(x);
      }
    }
    expect(thrown(() => new Short().call(x))).toBe(
      'ShapeError: short: expected compute to give a Float32Array of 210 for [2, 3, 7, 5], got a Float32Array of 3',
    );
    const shapeless = customOp({ name: 'shapeless', inferShape: () => 3 as never, compute: () => new Float32Array(3) });
    class Shapeless extends Module {
      forward(x: Value): Value {
        return shapeless(x);
      }
    }
    expect(thrown(() => new Shapeless().call(x))).toBe(
      'ShapeError: shapeless: inferShape: expected an array of whole numbers >= 0, got 3',
    );
  });

  it('is refused to call the module that is running, and may go on without', async () => {
    let nested: (() => unknown) | null = null;
    let refused = '';
    const curious = customOp({
      name: 'curious',
      inferShape: ([x]) => x!,
      compute: ([x]) => {
        const call = nested;
        nested = null;
        if (call) refused = thrown(call);
        return x!.data.slice();
      },
    });
    class Curious extends Module {
      forward(x: Value): Value {
        return curious(relu(x));
      }
    }
    const module = new Curious();
    const [one, other] = [tensor([1, 2], [1, 1, 1, 2]), tensor([3, 4, 5], [1, 1, 1, 3])];
    const expected =
      'ThreadError: layertap: expected no run under way, got a synchronous call in the midst of one; await that, or ' +
      'use the asynchronous form';
    for (const input of [one, other]) {
      for (const call of [() => module.call(one), () => module.callAsync(one)]) {
        nested = () => module.call(input);
        expect(await call()).toEqual(one);
        expect(refused).toBe(expected);
        refused = '';
      }
    }
    let later: Promise<unknown> | undefined;
    nested = () => {
      later = module.callAsync(other);
      return later;
    };
    expect(module.call(one)).toEqual(one);
    expect(await later).toEqual(other);
  });

  it('leaves a module usable after an error of its own', () => {
    let fails = true;
    const moody = customOp({
      name: 'moody',
      inferShape: ([x]) => x!,
      compute: ([x]) => {
        if (fails) throw new RangeError('not now');
        return x!.data.slice();
      },
    });
    class Moody extends Module {
      forward(x: Value): Value {
        return moody(x);
      }
    }
    const module = new Moody();
    expect(thrown(() => module.call(x))).toBe('RangeError: not now');
    fails = false;
    expect(module.call(x)).toEqual(x);
  });
});

describe('host steps on threads', () => {
  let pool: ThreadPool;
  beforeAll(async () => {
    pool = await ThreadPool.create(3, { worker: new URL('../../dist/threads/worker.js', import.meta.url) });
  });
  afterAll(() => pool.close());

  it('run on the calling thread while the others wait, and give the bits of one', async () => {
    const alone = network.call(x);
    const shared = fillParameters(new Sequential(new Conv2d(3, 6, 3), new Squared(), new Conv2d(6, 5, 1))).compile({
      pool,
    });
    for (let i = 0; i < 3; i++) expect(await shared.callAsync(x)).toEqual(alone);
  });
});
