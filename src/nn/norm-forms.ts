/** Functional forms of norms by statistics that are handed over, or of each channel of each image. */

import { describe, ShapeError, ValueError } from '../errors.ts';
import { record, type Value } from '../graph/graph.ts';
import { batchNorm as batchNormOp } from '../ops/batch-norm.ts';
import { groupNorm } from '../ops/group-norm.ts';
import { finite, flag, withDefaults } from '../options.ts';
import { Parameter } from '../tensor/parameter.ts';
import { formatShape, numel } from '../tensor/shape.ts';
import { asValue } from './arithmetic.ts';
import { shapeOf } from './value-shape.ts';

/** Options of {@link batchNorm}, with PyTorch's defaults. */
export interface BatchNormParameters {
  readonly weight?: Parameter | null;
  readonly bias?: Parameter | null;
  /** Added to the variance; 1e-5 unless given. */
  readonly eps?: number;
}

/** @throws {@link ValueError} or {@link ShapeError} where one is given that hasn't one number for each channel */
function checkVectors(name: string, channels: number, vectors: Readonly<Record<string, unknown>>): void {
  for (const [what, vector] of Object.entries(vectors)) {
    if (vector === null) continue;
    if (!(vector instanceof Parameter)) {
      throw new ValueError(`${name}: expected ${what} as a Parameter, got ${describe(vector)}`);
    }
    if (vector.shape.length === 1 && vector.numel() === channels) continue;
    throw new ShapeError(`${name}: expected ${what} of shape [${channels}], got ${formatShape(vector.shape)}`);
  }
}

/** Values less a mean of their channel, by its deviation, as in eval mode. Vectors have a number for each channel. */
export function batchNorm(
  x: Value,
  runningMean: Parameter,
  runningVar: Parameter,
  options: BatchNormParameters = {},
): Value {
  const { weight, bias, eps } = withDefaults('batch_norm', options, { weight: null, bias: null, eps: 1e-5 });
  const shape = shapeOf('batch_norm', x);
  if (shape.length < 2) {
    throw new ShapeError(`batch_norm: expected x of shape [N, C, …], got ${formatShape(shape)}`);
  }
  const given = { runningMean: runningMean ?? undefined, runningVar: runningVar ?? undefined, weight, bias };
  checkVectors('batch_norm', shape[1]!, given);
  return record(batchNormOp, [x], { weight, bias, runningMean, runningVar, eps: finite('batch_norm: eps', eps) });
}

/** Options of {@link instanceNorm}, with PyTorch's defaults. */
export interface InstanceNormParameters extends BatchNormParameters {
  readonly runningMean?: Parameter | null;
  readonly runningVar?: Parameter | null;
  /** False for the running statistics in the place of the image's own. */
  readonly useInputStats?: boolean;
}

/**
 * Values less the mean of their channel of their image, by its deviation.
 *
 * @throws {@link ShapeError} where a channel has one value alone, in PyTorch's words
 */
export function instanceNorm(x: Value, options: InstanceNormParameters = {}): Value {
  const name = 'instance_norm';
  const vectors = { runningMean: null, runningVar: null, weight: null, bias: null };
  const resolved = withDefaults(name, options, { ...vectors, useInputStats: true, eps: 1e-5 });
  const { runningMean, runningVar, weight, bias } = resolved;
  const eps = finite(`${name}: eps`, resolved.eps);
  const shape = shapeOf(name, x);
  if (shape.length < 3) throw new ShapeError(`${name}: expected x of shape [N, C, L, …], got ${formatShape(shape)}`);
  const channels = shape[1]!;
  checkVectors(name, channels, { runningMean, runningVar, weight, bias });
  if (!flag(`${name}: useInputStats`, resolved.useInputStats)) {
    if (!runningMean || !runningVar) {
      throw new ValueError(
        'Expected running_mean and running_var to be defined when use_input_stats is false; instance_norm: got none',
      );
    }
    return record(batchNormOp, [x], { weight, bias, runningMean, runningVar, eps }, name);
  }
  if (numel(shape.slice(2)) === 1) {
    throw new ShapeError(
      `Expected more than 1 spatial element when training, got input size ${formatShape(shape)}; ${name}`,
    );
  }
  const own = [weight, bias].filter((vector) => vector !== null).map((vector) => asValue(name, vector, x));
  return record(groupNorm, [x, ...own], { groups: channels, eps, hasWeight: weight !== null }, name);
}
