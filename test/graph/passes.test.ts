/** What each pass does to a program, and that none changes a bit. */

import { describe, expect, it } from 'vitest';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { fuseEpilogues } from '../../src/graph/passes/fuse-epilogues.ts';
import { placeConcats } from '../../src/graph/passes/place-concats.ts';
import { placeResiduals } from '../../src/graph/passes/place-residuals.ts';
import { placeViews } from '../../src/graph/passes/place-views.ts';
import { prune } from '../../src/graph/passes/prune.ts';
import { BatchNorm2d } from '../../src/nn/batchnorm.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { add, cat, chunk, mean, narrow, permute, relu, reshape, slice } from '../../src/nn/functional.ts';
import { CompiledModel } from '../../src/plan/compiled-model.ts';
import { instantiate } from '../../src/wasm/instantiate.ts';
import { runStep } from '../../src/wasm/step.ts';
import { f32_copy } from '../../src/wasm/steps.gen.ts';
import { binaries, compiledModel } from '../support/binaries.ts';
import { fillParameters, generatedTensor } from '../support/generator.ts';
import { programOf } from '../support/programs.ts';

const SHAPE = [2, 16, 9, 7];

function residualBlock() {
  const graph = new Graph([SHAPE]);
  const x = graph.inputs[0]!;
  const layers = [0, 1].map(() => [
    fillParameters(new Conv2d(16, 16, 3, { padding: 1, bias: false })),
    fillParameters(new BatchNorm2d(16)),
  ]);
  const conv = layers[0]![0]!.call(x) as Value;
  const norm = layers[0]![1]!.call(conv) as Value;
  const inner = relu(norm);
  const conv2 = layers[1]![0]!.call(inner) as Value;
  const norm2 = layers[1]![1]!.call(conv2) as Value;
  const sum = add(norm2, x);
  return { graph, values: [conv, norm, inner, conv2, norm2, sum, relu(sum)] };
}

describe('prune', () => {
  it('drops what follows the last tap, and side branches', () => {
    const { graph, values } = residualBlock();
    expect(prune(graph.program([values[2]!])).nodes.map(({ op }) => op.name)).toEqual([
      'conv2d',
      'batch_norm',
      'clamp',
    ]);
    expect(prune(graph.program([])).nodes).toEqual([]);
  });
});

describe('fuseEpilogues', () => {
  const fused = (taps: (values: Value[]) => Value[]) => {
    const { graph, values } = residualBlock();
    return fuseEpilogues(prune(graph.program(taps(values)))).nodes;
  };

  it('joins norm, residual and activation into the convolution before them', () => {
    const nodes = fused((values) => [values.at(-1)!]);
    expect(nodes.map(({ op }) => op.name)).toEqual(['conv2d', 'conv2d']);
    expect(nodes[1]!.epilogue).toMatchObject({ residual: true, activation: { kind: 'clamp', min: 0, max: Infinity } });
    expect(nodes[1]!.epilogue.norm).not.toBeNull();
  });

  it('never joins across a tap', () => {
    const nodes = fused((values) => [values[0]!, values[4]!, values.at(-1)!]);
    expect(nodes.map(({ op }) => op.name)).toEqual(['conv2d', 'batch_norm', 'conv2d', 'add']);
  });

  it('joins an addition to the later of the two that it adds, whichever comes first in it', () => {
    for (const isSwapped of [false, true]) {
      const graph = new Graph([SHAPE]);
      const [early, late] = [0, 1].map(() => new Conv2d(16, 8, 1).call(graph.inputs[0]!) as Value) as [Value, Value];
      const sum = isSwapped ? add(late, early) : add(early, late);
      const nodes = fuseEpilogues(graph.program([sum])).nodes;
      expect(nodes.map(({ epilogue }) => epilogue.residual)).toEqual([false, true]);
      expect(nodes[1]!.inputs).toEqual([graph.inputs[0], early]);
    }
  });

  it('leaves an addition of a value to itself, and one whose later part is read again', () => {
    const graph = new Graph([SHAPE]);
    const y = new Conv2d(16, 16, 1).call(graph.inputs[0]!) as Value;
    const twice = add(y, y);
    const program = graph.program([twice, add(twice, graph.inputs[0]!)]);
    expect(fuseEpilogues(program).nodes.map(({ op }) => op.name)).toEqual(['conv2d', 'add', 'add']);
  });

  it('keeps the order of an epilogue: a norm after an activation stays a step', () => {
    const graph = new Graph([SHAPE]);
    const y = relu(new Conv2d(16, 16, 1).call(graph.inputs[0]!) as Value);
    const program = graph.program([new BatchNorm2d(16).call(y) as Value]);
    expect(fuseEpilogues(program).nodes.map(({ op }) => op.name)).toEqual(['conv2d', 'batch_norm']);
  });

  it.each(binaries)('changes no bit in the %s binary', (binary) => {
    const x = generatedTensor('input', SHAPE, 2);
    const run = (taps: (values: Value[]) => Value[]) => {
      const { graph, values } = residualBlock();
      const model = compiledModel(binary);
      return model.run(model.plan(graph.program(taps(values))), [x]).at(-1)!.data;
    };
    expect(run((values) => [values.at(-1)!])).toEqual(run((values) => values));
  });
});

describe('placeConcats', () => {
  const placed = (channels: readonly number[]) => {
    const graph = new Graph([[1, 8, 5, 5]]);
    const parts = channels.map((out) => new Conv2d(8, out, 1).call(graph.inputs[0]!) as Value);
    const program = graph.program([cat(parts)]);
    return parts.map((part) => placeConcats(program).get(part)?.channel);
  };

  it('lets inputs be written side by side where vectors allow it', () => {
    expect(placed([4, 8, 3])).toEqual([0, 4, 12]);
    expect(placed([3, 8])).toEqual([undefined, undefined]);
  });

  it('leaves inputs of the program where they are, and a value that comes twice in one place', () => {
    const graph = new Graph([[1, 4, 2, 2]]);
    const y = relu(graph.inputs[0]!);
    const program = graph.program([cat([graph.inputs[0]!, y, y])]);
    expect([...placeConcats(program)].map(([value, { channel }]) => [value === y, channel])).toEqual([[true, 4]]);
  });

  it('puts a concatenation inside of another one, with what it is made of', () => {
    const graph = new Graph([[1, 4, 2, 2]]);
    const [a, b, c] = [0, 1, 2].map(() => relu(graph.inputs[0]!)) as [Value, Value, Value];
    const inner = cat([a, b]);
    const outer = cat([c, inner]);
    const places = placeConcats(graph.program([outer]));
    expect([a, b, c, inner].map((value) => places.get(value))).toEqual(
      [4, 8, 0, 4].map((channel) => ({ inside: outer, channel })),
    );
  });

  /** Pixels that f32_copy moved while the taps were computed. */
  const copies = (trace: (x: Value) => Value): number => {
    const { kernels } = instantiate('simd');
    let calls = 0;
    const { kernel } = f32_copy({ pixels: 0, channels: 0, x: 0, pixelBytes: 0, out: 0, outBytes: 0 });
    const counted = (...args: number[]) => {
      calls++;
      runStep(kernels, { kernel, args });
    };
    const model = new CompiledModel({}, { instance: { binary: 'simd', kernels: { ...kernels, [kernel]: counted } } });
    const graph = new Graph([[1, 4, 3, 3]]);
    const program = graph.program([trace(graph.inputs[0]!)]);
    model.run(model.plan(program), [generatedTensor('input', [1, 4, 3, 3])]);
    return calls;
  };

  it('leaves nothing to copy where all parts are placed', () => {
    expect(copies((x) => cat([relu(x), relu(x)]))).toBe(0);
    expect(copies((x) => cat([relu(x), cat([relu(x), relu(x)])]))).toBe(0);
  });

  it('leaves to copy: inputs, what comes twice, and what begins within a vector', () => {
    const thin = (x: Value) => fillParameters(new Conv2d(4, 3, 1)).call(x) as Value;
    const twice = (y: Value) => cat([y, y]);
    expect(copies((x) => cat([relu(x), x]))).toBe(1);
    expect(copies((x) => twice(relu(x)))).toBe(1);
    expect(copies((x) => twice(cat([relu(x), relu(x)])))).toBe(1);
    expect(copies((x) => cat([thin(x), relu(x)]))).toBe(2);
  });
});

describe('placeViews', () => {
  const viewed = (trace: (x: Value) => Value) => {
    const program = programOf([[2, 8, 3, 5]], (x) => [trace(relu(x))]);
    const { nodes } = program;
    const places = placeViews(program, placeConcats(program));
    const at = new Map([...program.inputs, ...nodes.map(({ output }) => output)].map((value, i) => [value, i]));
    return [...places].map(([value, { inside, channel }]) => [at.get(value), at.get(inside), channel]);
  };

  it('lets channels be read where they lie, within a vector too', () => {
    expect(viewed((x) => chunk(x, 2, 1)[1]!)).toContainEqual([3, 1, 4]);
    expect(viewed((x) => narrow(x, 1, 3, 2))).toEqual([[2, 1, 3]]);
    expect(viewed((x) => narrow(narrow(x, 1, 3, 4), 1, 1, 2))).toEqual([
      [2, 1, 3],
      [3, 1, 4],
    ]);
  });

  it('copies nothing for other sizes and axes of the same bytes', () => {
    expect(viewed((x) => reshape(x, [2, 8, 15]))).toEqual([[2, 1, 0]]);
    expect(viewed((x) => permute(relu(permute(x, [0, 2, 3, 1])), [0, 3, 1, 2]))).toEqual([
      [2, 1, 0],
      [4, 3, 0],
    ]);
    expect(viewed((x) => mean(x, [2, 3]))).toEqual([[3, 2, 0]]);
  });

  it('leaves to copy what lies otherwise, rows, and every second channel', () => {
    expect(viewed((x) => reshape(x, [2, 2, 4, 3, 5]))).toEqual([]);
    expect(viewed((x) => narrow(x, 2, 1, 2))).toEqual([]);
    expect(viewed((x) => slice(x, 1, 0, 8, 2))).toEqual([]);
  });

  it('puts a view of what lies in a concatenation there too; a view that is concatenated is copied', () => {
    expect(viewed((x) => cat([narrow(relu(x), 1, 4, 4), relu(x)]))).toEqual(expect.arrayContaining([[3, 2, 4]]));
    const inside = viewed((x) => {
      const part = relu(x);
      return cat([cat([relu(x), part]), narrow(part, 1, 2, 3)]);
    });
    expect(inside).toEqual(
      expect.arrayContaining([
        [2, 6, 8],
        [5, 6, 10],
      ]),
    );
  });
});

describe('placeResiduals', () => {
  const conv = (x: Value) => new Conv2d(16, 16, 1).call(x) as Value;

  /** Which of the traced values lie inside which, by their indices. */
  const placed = (trace: (x: Value) => readonly Value[], taps: readonly number[], allows = () => true) => {
    const graph = new Graph([[1, 16, 3, 3]]);
    const values = trace(graph.inputs[0]!);
    const program = fuseEpilogues(graph.program(taps.map((i) => values.at(i)!)));
    return [...placeResiduals(program, placeConcats(program), allows)].map(([value, { inside }]) => [
      values.indexOf(value),
      values.indexOf(inside),
    ]);
  };
  const chain = (x: Value) => {
    const a = conv(x);
    const b = add(conv(relu(a)), a);
    return [a, b, add(conv(relu(b)), b)];
  };

  it('writes a chain of additions over each other', () => {
    expect(placed(chain, [-1])).toEqual([
      [1, 0],
      [2, 0],
    ]);
  });

  it('leaves inputs of the program, taps, and what kernels would read too late', () => {
    expect(placed((x) => [add(conv(x), x)], [-1])).toEqual([]);
    expect(placed(chain, [0, -1])).toEqual([[2, 1]]);
    expect(placed(chain, [-1], () => false)).toEqual([]);
  });

  it('leaves what is read again, by the node itself or a later one', () => {
    expect(placed((x) => [conv(x)].flatMap((a) => [a, add(conv(a), a)]), [-1])).toEqual([]);
    expect(placed((x) => [conv(x)].flatMap((a) => [a, add(conv(relu(a)), a), relu(a)]), [-1, -2])).toEqual([]);
  });

  it('leaves what lies inside of a concatenation, and a concatenation', () => {
    const inside = (x: Value) => {
      const a = conv(x);
      const b = add(conv(relu(a)), a);
      return [a, b, cat([b, conv(x)])];
    };
    expect(placed(inside, [-1]).map(([value]) => value)).not.toContainEqual([1, 0]);
    const whole = (x: Value) => {
      const both = cat([relu(new Conv2d(16, 8, 1).call(x) as Value), relu(new Conv2d(16, 8, 1).call(x) as Value)]);
      return [both, add(conv(relu(both)), both)];
    };
    expect(placed(whole, [-1]).filter(([value]) => value === 1)).toEqual([]);
  });
});
