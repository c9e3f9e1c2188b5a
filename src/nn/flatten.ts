/** Layers that give a value other sizes or another order. */

import { describe, ValueError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { whole } from '../options.ts';
import type { Shape } from '../tensor/shape.ts';
import { channelShuffle, flatten, unflatten } from './functional.ts';
import { Layer } from './layer.ts';
import { tuple } from './repr.ts';

/** Axes `startDim` to `endDim` as one: `[N, C·H·W]` of `[N, C, H, W]` unless told otherwise. @see torch.nn.Flatten */
export class Flatten extends Layer {
  startDim: number;
  endDim: number;

  constructor(startDim = 1, endDim = -1) {
    super();
    this.startDim = whole('Flatten: startDim', startDim, -64);
    this.endDim = whole('Flatten: endDim', endDim, -64);
  }

  forward(x: Value): Value {
    return flatten(x, this.startDim, this.endDim);
  }

  protected override extraRepr(): string {
    return `start_dim=${this.startDim}, end_dim=${this.endDim}`;
  }
}

/** One axis as several, of whose sizes one may be −1. @see torch.nn.Unflatten */
export class Unflatten extends Layer {
  dim: number;
  unflattenedSize: Shape;

  constructor(dim: number, unflattenedSize: Shape) {
    super();
    this.dim = whole('Unflatten: dim', dim, -64);
    if (!Array.isArray(unflattenedSize)) {
      throw new ValueError(`Unflatten: expected unflattenedSize as an array, got ${describe(unflattenedSize)}`);
    }
    this.unflattenedSize = unflattenedSize;
  }

  forward(x: Value): Value {
    return unflatten(x, this.dim, this.unflattenedSize);
  }

  protected override extraRepr(): string {
    return `dim=${this.dim}, unflattened_size=${tuple(this.unflattenedSize)}`;
  }
}

/** Channels of several groups in turn. @see torch.nn.ChannelShuffle */
export class ChannelShuffle extends Layer {
  groups: number;

  constructor(groups: number) {
    super();
    this.groups = whole('ChannelShuffle: groups', groups);
  }

  forward(x: Value): Value {
    return channelShuffle(x, this.groups);
  }

  protected override extraRepr(): string {
    return `groups=${this.groups}`;
  }
}
