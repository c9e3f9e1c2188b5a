/** Instance norm layers. */

import { ShapeError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { withDefaults } from '../options.ts';
import { formatShape } from '../tensor/shape.ts';
import { ChannelNorm } from './channel-norm.ts';
import { instanceNorm } from './functional.ts';
import { shapeOf } from './value-shape.ts';

/** Options of {@link InstanceNorm2d}, with PyTorch's defaults. */
export interface InstanceNormOptions {
  /** Added to the variance; 1e-5 unless given. */
  readonly eps?: number;
  /** Kept for printing; it has no part in inference. */
  readonly momentum?: number | null;
  /** True for a weight and a bias. */
  readonly affine?: boolean;
  /** True for running statistics, which are used in the place of the image's own. */
  readonly trackRunningStats?: boolean;
}

/** What instance norms share. */
abstract class InstanceNorm extends ChannelNorm {
  constructor(numFeatures: number, options: InstanceNormOptions = {}) {
    const defaults = { eps: 1e-5, momentum: 0.1, affine: false, trackRunningStats: false };
    super(numFeatures, withDefaults(new.target.name, options, defaults));
  }

  /** The norm of a value of such axes. @throws {@link ShapeError} for others */
  protected normalized(x: Value, axes: string): Value {
    const { weight, bias, running_mean: runningMean, running_var: runningVar, eps } = this;
    const shape = shapeOf('instance_norm', x);
    if (shape.length !== axes.split(',').length) {
      throw new ShapeError(`${this.constructor.name}: expected x of shape ${axes}, got ${formatShape(shape)}`);
    }
    return instanceNorm(x, { runningMean, runningVar, weight, bias, useInputStats: !this.trackRunningStats, eps });
  }
}

/** Norm of each channel of each row, `[N, C, L]`. @see torch.nn.InstanceNorm1d */
export class InstanceNorm1d extends InstanceNorm {
  forward(x: Value): Value {
    return this.normalized(x, '[N, C, L]');
  }
}

/** Norm of each channel of each image, `[N, C, H, W]`. @see torch.nn.InstanceNorm2d */
export class InstanceNorm2d extends InstanceNorm {
  forward(x: Value): Value {
    return this.normalized(x, '[N, C, H, W]');
  }
}
