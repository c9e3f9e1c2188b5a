/** test/cases/ops.json as graphs: each case's module, inputs and bound. The Python side is scripts/goldens/ops.py. */

import { readFileSync } from 'node:fs';
import { Graph, type Program, type Value } from '../../src/graph/graph.ts';
import { interpret } from '../../src/graph/interpret.ts';
import { BatchNorm2d, FrozenBatchNorm2d } from '../../src/nn/batchnorm.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import * as functional from '../../src/nn/functional.ts';
import { Linear } from '../../src/nn/linear.ts';
import type { Module } from '../../src/nn/module.ts';
import type { Engine } from '../../src/ops/lowering/algorithm.ts';
import type { Shape } from '../../src/tensor/shape.ts';
import { Tensor } from '../../src/tensor/tensor.ts';
import { fillParameters, generatedTensor } from './generator.ts';
import { largest, roundingBound, sumBound } from './tolerance.ts';
import { winogradBound } from './winograd-magnitudes.ts';
import { transformOf } from './winograd-transforms.ts';

/** A line of the table. Options are layertap's own. */
export interface OpCase {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly Shape[];
  /** Indices of the inputs that the op reads; all in order unless given. */
  readonly reads?: readonly number[];
  /** Inputs are in ±scale; 2 unless given. */
  readonly scale?: number;
  /** Special numbers at every 11th place of the inputs, or −∞ everywhere. */
  readonly with?: 'specials' | 'lowest';
  readonly options: any;
  readonly outChannels: number;
  readonly outFeatures: number;
  readonly kernelSize: number | readonly [number, number];
  readonly outputSize: number | readonly [number | null, number | null];
}

/** The table. */
export const opCases = JSON.parse(
  readFileSync(new URL('../cases/ops.json', import.meta.url), 'utf8'),
) as readonly OpCase[];

const SPECIALS = [Number.NaN, Infinity, -Infinity, -0, 6];

/** The case's inputs. */
export function inputsOf(opCase: OpCase): Tensor<Float32Array>[] {
  return opCase.inputs.map((shape, i) => {
    const x = generatedTensor(`${opCase.name}.input${i}`, shape, opCase.scale);
    if (opCase.with === 'lowest') x.data.fill(-Infinity);
    if (opCase.with === 'specials') {
      for (let at = 3 + i; at < x.data.length; at += 11) {
        x.data[at] = SPECIALS[Math.floor(at / 11) % SPECIALS.length]!;
      }
    }
    return x;
  });
}

/** The layer that the case is about; null where the op has no parameters. */
function layerOf({ op, inputs, options, ...attrs }: OpCase): Module | null {
  const channels = inputs[0]![1]!;
  if (op === 'conv2d') return new Conv2d(channels, attrs.outChannels, attrs.kernelSize, options);
  if (op === 'linear') return new Linear(channels, attrs.outFeatures, options);
  if (op === 'batch_norm') return new BatchNorm2d(channels, options);
  if (op === 'frozen_batch_norm') return new FrozenBatchNorm2d(channels, options);
  return null;
}

function record(opCase: OpCase, layer: Module | null, values: readonly Value[]): Value {
  const read = (opCase.reads ?? values.map((_, i) => i)).map((i) => values[i]!);
  const [x, y] = read as [Value, Value];
  const { options, kernelSize, outputSize } = opCase;
  const functions: Record<string, () => Value> = {
    relu: () => functional.relu(x),
    relu6: () => functional.relu6(x),
    hardswish: () => functional.hardswish(x),
    hardsigmoid: () => functional.hardsigmoid(x),
    sigmoid: () => functional.sigmoid(x),
    silu: () => functional.silu(x),
    mul: () => functional.mul(x, y),
    max_pool2d: () => functional.maxPool2d(x, kernelSize, options),
    avg_pool2d: () => functional.avgPool2d(x, kernelSize, options),
    adaptive_avg_pool2d: () => functional.adaptiveAvgPool2d(x, outputSize),
    interpolate: () => functional.interpolate(x, options),
    add: () => functional.add(x, y),
    cat: () => functional.cat(read),
    flatten: () => functional.flatten(x),
  };
  return layer ? layer.call(x) : functions[opCase.op]!();
}

/** The case as a program of one tap, with generated parameters. */
export function programOf(opCase: OpCase): Program {
  const layer = layerOf(opCase);
  return traced(opCase, layer && fillParameters(layer, `${opCase.name}.`));
}

/** The case's program with each algorithm that can compute its op in an engine, as if it were the only one. */
export function programsOf(opCase: OpCase, engine: Engine): Map<string, Program> {
  const program = programOf(opCase);
  const { op, attrs, inputs, epilogue, output } = program.nodes[0]!;
  const shapes = inputs.map(({ shape }) => shape);
  const site = { inputs: shapes, output: output.shape, attrs, epilogue, engine, weightStorage: 'f32' as const };
  const fitting = op.algorithms.filter((algorithm) => algorithm.prepare(site));
  return new Map(
    fitting.map((algorithm) => {
      const pinned = { ...op, algorithms: [algorithm] };
      return [algorithm.name, { ...program, nodes: [{ ...program.nodes[0]!, op: pinned }] }];
    }),
  );
}

function traced(opCase: OpCase, layer: Module | null): Program {
  const graph = new Graph(opCase.inputs);
  return graph.program([record(opCase, layer, graph.inputs)]);
}

/**
 * For each element, by how much two right answers may differ: nothing for ops that only move or compare numbers, or round once.
 * The magnitude of a sum, Σ|x·w|, is what the reference gives for absolute values.
 *
 * @param algorithm the one that a plan takes; Winograd's have a bound of their own
 */
export function boundsOf(opCase: OpCase, algorithm = 'direct'): (index: number) => number {
  const { op, options, inputs } = opCase;
  const pair = (size: number | readonly (number | null)[]) => (typeof size === 'number' ? [size, size] : size);
  let cached: Float32Array | null = null;
  const area = (height: number, width: number) => height * width;
  const [, channels, height, width] = inputs[0] as [number, number, number, number];
  switch (op) {
    case 'conv2d': {
      const [kernelHeight, kernelWidth] = pair(opCase.kernelSize) as [number, number];
      const terms = (channels / (options.groups ?? 1)) * area(kernelHeight, kernelWidth) + 1;
      const transform = transformOf(algorithm);
      if (!transform) return (index) => sumBound(terms, magnitudes()[index]!);
      // PyTorch's own sum is bounded as ever.
      const conv = fillParameters(layerOf(opCase) as Conv2d, `${opCase.name}.`);
      const x = inputsOf(opCase)[0]!;
      const bound = winogradBound(transform, conv, x, conv.call(x).shape);
      return (index) => bound(index) + sumBound(terms, magnitudes()[index]!);
    }
    case 'linear':
      return (index) => sumBound(channels + 1, magnitudes()[index]!);
    case 'avg_pool2d': {
      const [kernelHeight, kernelWidth] = pair(opCase.kernelSize) as [number, number];
      return (index) => sumBound(area(kernelHeight, kernelWidth), magnitudes()[index]!);
    }
    case 'adaptive_avg_pool2d': {
      const [outHeight, outWidth] = pair(opCase.outputSize);
      const window = [height / (outHeight ?? height), width / (outWidth ?? width)].map((size) => Math.ceil(size) + 1);
      return (index) => sumBound(area(window[0]!, window[1]!), magnitudes()[index]!);
    }
    case 'batch_norm':
    case 'frozen_batch_norm':
      // PyTorch rounds var + eps, its root, the reciprocal, the scale, mean·scale, the shift, the product and the sum: 6.5 on
      // the longest way; here scale, shift, product and sum: 3.
      return (index) => roundingBound(10, magnitudes()[index]!);
    case 'interpolate': {
      if (options.mode !== 'bilinear') return () => 0;
      // A pixel passes six roundings on each side: its two weights, products and sums.
      return () => roundingBound(12, largest(inputsOf(opCase)[0]!));
    }
    case 'hardswish':
    case 'hardsigmoid':
      // A sum, a product and a quotient on each side.
      return () => roundingBound(6, Math.max(1, largest(inputsOf(opCase)[0]!)));
    case 'sigmoid':
    case 'silu':
      // Exponentials within 2 ulp here and in PyTorch, a sum and a quotient on each side.
      return () => roundingBound(8, Math.max(1, largest(inputsOf(opCase)[0]!)));
    default:
      return () => 0;
  }

  function magnitudes(): Float32Array {
    cached ??= magnitudesOf(opCase);
    return cached;
  }
}

/** For each element, by how much a sum may be off when its weights are rounded to binary16: by 2⁻¹¹ of each product, at most. */
export function halvesBoundOf(opCase: OpCase): (index: number) => number {
  const magnitudes = magnitudesOf(opCase);
  return (index) => 2 ** -11 * magnitudes[index]!;
}

/** The reference's output for absolute inputs and parameters; means are negative, since they are subtracted. */
function magnitudesOf(opCase: OpCase): Float32Array {
  const layer = layerOf(opCase);
  if (layer) {
    fillParameters(layer, `${opCase.name}.`);
    const state = [...layer.stateDict()].filter(([key]) => key !== 'num_batches_tracked');
    layer.loadStateDict(
      state.map(([key, values]) => {
        const sign = key === 'running_mean' ? -1 : 1;
        return [
          key,
          new Tensor(
            values.float().data.map((v) => sign * Math.abs(v)),
            values.shape,
          ),
        ] as const;
      }),
    );
  }
  const inputs = inputsOf(opCase).map((x) => new Tensor(x.data.map(Math.abs), x.shape));
  return interpret(traced(opCase, layer), inputs)[0]!.data;
}
