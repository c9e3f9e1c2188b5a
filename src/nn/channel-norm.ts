/** What norms of a number for each channel share, beside those of images that networks have most. */

import { finite, flag, whole } from '../options.ts';
import { Buffer, Parameter } from '../tensor/parameter.ts';
import { Layer } from './layer.ts';
import { bool, float } from './repr.ts';

/** A layer's options, none of them missing. */
interface Resolved {
  readonly eps: number;
  readonly momentum: number | null;
  readonly affine: boolean;
  readonly trackRunningStats: boolean;
}

/** A layer with a weight and a bias, and with running statistics, where it has them. */
export abstract class ChannelNorm extends Layer {
  weight: Parameter | null;
  bias: Parameter | null;
  running_mean: Buffer | null;
  running_var: Buffer | null;
  num_batches_tracked: Buffer | null;
  numFeatures: number;
  eps: number;
  momentum: number | null;
  affine: boolean;
  trackRunningStats: boolean;

  constructor(numFeatures: number, { eps, momentum, affine, trackRunningStats }: Resolved) {
    super();
    const { name } = new.target;
    this.numFeatures = whole(`${name}: numFeatures`, numFeatures);
    this.eps = finite(`${name}: eps`, eps);
    this.momentum = momentum === null ? null : finite(`${name}: momentum`, momentum);
    this.affine = flag(`${name}: affine`, affine);
    this.trackRunningStats = flag(`${name}: trackRunningStats`, trackRunningStats);
    this.weight = affine ? new Parameter([numFeatures], { fill: 1 }) : null;
    this.bias = affine ? new Parameter([numFeatures], { fill: 0 }) : null;
    this.running_mean = trackRunningStats ? new Buffer([numFeatures], { fill: 0 }) : null;
    this.running_var = trackRunningStats ? new Buffer([numFeatures], { fill: 1 }) : null;
    this.num_batches_tracked = trackRunningStats ? new Buffer([], { fill: 0, dtype: 'int64' }) : null;
  }

  protected override get version(): number {
    return 2;
  }

  protected override optionalKeys(): readonly string[] {
    return this.trackRunningStats ? ['num_batches_tracked'] : [];
  }

  /** Its options, as PyTorch prints them. */
  protected override extraRepr(): string {
    const { numFeatures, eps, momentum, affine, trackRunningStats } = this;
    const printed = momentum === null ? 'None' : float(momentum);
    return (
      `${numFeatures}, eps=${float(eps)}, momentum=${printed}, affine=${bool(affine)}, ` +
      `track_running_stats=${bool(trackRunningStats)}`
    );
  }
}
