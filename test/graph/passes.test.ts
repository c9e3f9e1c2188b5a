/** What each pass does to a program, and that none changes a bit. */

import { describe, expect, it } from 'vitest';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { fuseEpilogues } from '../../src/graph/passes/fuse-epilogues.ts';
import { placeConcats } from '../../src/graph/passes/place-concats.ts';
import { prune } from '../../src/graph/passes/prune.ts';
import { BatchNorm2d } from '../../src/nn/batchnorm.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { add, cat, relu } from '../../src/nn/functional.ts';
import { binaries, compiledModel } from '../support/binaries.ts';
import { fillParameters, generatedTensor } from '../support/generator.ts';

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

  it.each(binaries)('changes no bit in the %s binary', (binary) => {
    const x = generatedTensor('input', SHAPE, 2);
    const run = (taps: (values: Value[]) => Value[]) => {
      const { graph, values } = residualBlock();
      const model = compiledModel(binary);
      return model
        .run(
          model.plan('', () => graph.program(taps(values))),
          [x],
        )
        .at(-1)!.data;
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
});
