/** Batch norms of what isn't images alone, always with their running statistics, as in PyTorch's eval mode. */

import { ShapeError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { withDefaults } from '../options.ts';
import type { BatchNorm2dOptions } from './batchnorm.ts';
import { ChannelNorm } from './channel-norm.ts';
import { batchNorm } from './functional.ts';
import { shapeOf } from './value-shape.ts';

/** What both share. */
abstract class BatchNorm extends ChannelNorm {
  constructor(numFeatures: number, options: BatchNorm2dOptions = {}) {
    const resolved = withDefaults(new.target.name, options, { eps: 1e-5, momentum: 0.1, affine: true });
    super(numFeatures, { ...resolved, trackRunningStats: true });
  }

  /** The norm of a value of any shape `[N, C, …]`. */
  protected normalized(x: Value): Value {
    const { running_mean, running_var, weight, bias, eps } = this;
    return batchNorm(x, running_mean!, running_var!, { weight, bias, eps });
  }
}

/** Batch norm over the channels of `[N, C]` or `[N, C, L]`. @see torch.nn.BatchNorm1d */
export class BatchNorm1d extends BatchNorm {
  /** @throws {@link ShapeError} for other shapes, in PyTorch's words */
  forward(x: Value): Value {
    const { length } = shapeOf('batch_norm', x);
    if (length === 2 || length === 3) return this.normalized(x);
    throw new ShapeError(`expected 2D or 3D input (got ${length}D input)`);
  }
}

/**
 * Batch norm over the channels of any shape `[N, C, …]`: that processes share statistics in training has no part in
 * inference. @see torch.nn.SyncBatchNorm
 */
export class SyncBatchNorm extends BatchNorm {
  /** @throws {@link ShapeError} for other shapes, in PyTorch's words */
  forward(x: Value): Value {
    const { length } = shapeOf('batch_norm', x);
    if (length >= 2) return this.normalized(x);
    throw new ShapeError(`expected at least 2D input (got ${length}D input)`);
  }
}
