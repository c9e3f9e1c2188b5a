/** Batch norm, always with its running statistics, as in PyTorch's eval mode. */

import { ShapeError } from '../errors.ts';
import { record, Value } from '../graph/graph.ts';
import { batchNorm } from '../ops/batch-norm.ts';
import { finite, flag, whole, withDefaults } from '../options.ts';
import { Buffer, Parameter } from '../tensor/parameter.ts';
import { Layer } from './layer.ts';
import { bool, float } from './repr.ts';

/** Options of {@link BatchNorm2d}, with PyTorch's defaults. */
export interface BatchNorm2dOptions {
  /** Added to the variance; 1e-5 unless given. Some models use 1e-3: it belongs to the layer. */
  readonly eps?: number;
  /** Kept for printing; it has no part in inference. */
  readonly momentum?: number | null;
  /** False for neither weight nor bias. */
  readonly affine?: boolean;
}

/** @throws {@link ShapeError} where x isn't `[N, C, H, W]`, in PyTorch's words */
function normalized(norm: BatchNorm2d | FrozenBatchNorm2d, x: Value): Value {
  if (x instanceof Value && x.shape.length !== 4) {
    throw new ShapeError(`expected 4D input (got ${x.shape.length}D input)`);
  }
  const { weight, bias, running_mean: runningMean, running_var: runningVar } = norm;
  const eps = finite(`${norm.constructor.name}: eps`, norm.eps);
  return record(batchNorm, [x], { weight, bias, runningMean, runningVar, eps });
}

/** Batch norm over the channels of `[N, C, H, W]`. @see torch.nn.BatchNorm2d */
export class BatchNorm2d extends Layer {
  weight: Parameter | null;
  bias: Parameter | null;
  running_mean: Buffer;
  running_var: Buffer;
  num_batches_tracked: Buffer;
  numFeatures: number;
  eps: number;
  momentum: number | null;

  constructor(numFeatures: number, options: BatchNorm2dOptions = {}) {
    super();
    const defaults = { eps: 1e-5, momentum: 0.1, affine: true };
    const { eps, momentum, affine } = withDefaults('BatchNorm2d', options, defaults);
    flag('BatchNorm2d: affine', affine);
    this.numFeatures = whole('BatchNorm2d: numFeatures', numFeatures);
    this.eps = finite('BatchNorm2d: eps', eps);
    this.momentum = momentum === null ? null : finite('BatchNorm2d: momentum', momentum);
    this.weight = affine ? new Parameter([numFeatures], { fill: 1 }) : null;
    this.bias = affine ? new Parameter([numFeatures], { fill: 0 }) : null;
    this.running_mean = new Buffer([numFeatures], { fill: 0 });
    this.running_var = new Buffer([numFeatures], { fill: 1 });
    this.num_batches_tracked = new Buffer([], { fill: 0, dtype: 'int64' });
  }

  protected override get version(): number {
    return 2;
  }

  protected override optionalKeys(): readonly string[] {
    return ['num_batches_tracked'];
  }

  forward(x: Value): Value {
    return normalized(this, x);
  }

  protected override extraRepr(): string {
    const momentum = this.momentum === null ? 'None' : float(this.momentum);
    return (
      `${this.numFeatures}, eps=${float(this.eps)}, momentum=${momentum}, affine=${bool(this.weight !== null)}, ` +
      'track_running_stats=True'
    );
  }
}

/** Batch norm whose statistics and affine parameters are all buffers. @see torchvision.ops.FrozenBatchNorm2d */
export class FrozenBatchNorm2d extends Layer {
  weight: Buffer;
  bias: Buffer;
  running_mean: Buffer;
  running_var: Buffer;
  eps: number;

  constructor(numFeatures: number, options: { readonly eps?: number } = {}) {
    super();
    whole('FrozenBatchNorm2d: numFeatures', numFeatures);
    this.eps = finite('FrozenBatchNorm2d: eps', withDefaults('FrozenBatchNorm2d', options, { eps: 1e-5 }).eps);
    this.weight = new Buffer([numFeatures], { fill: 1 });
    this.bias = new Buffer([numFeatures], { fill: 0 });
    this.running_mean = new Buffer([numFeatures], { fill: 0 });
    this.running_var = new Buffer([numFeatures], { fill: 1 });
  }

  protected override ignoredKeys(): readonly string[] {
    return ['num_batches_tracked'];
  }

  forward(x: Value): Value {
    return normalized(this, x);
  }

  protected override extraRepr(): string {
    return `${this.weight.shape[0]}, eps=${this.eps === 0 ? '0.0' : float(this.eps)}`;
  }
}
