/** Dropout, which does nothing in inference. */

import { describe, ShapeError, ValueError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { finite, flag, withDefaults } from '../options.ts';
import { Layer } from './layer.ts';
import { bool, float } from './repr.ts';
import { shapeOf } from './value-shape.ts';

/** What all kinds of dropout share: they return what they get, as PyTorch's do in eval mode. */
abstract class Dropping extends Layer {
  p: number;
  inplace: boolean;

  /** @throws {@link ValueError} where `p` isn't a probability */
  constructor(p = 0.5, options: { readonly inplace?: boolean } = {}) {
    super();
    if (typeof p !== 'number' || !(p >= 0 && p <= 1)) {
      throw new ValueError(`dropout probability has to be between 0 and 1, but got ${describe(p)}`);
    }
    this.p = p;
    this.inplace = flag(
      `${new.target.name}: inplace`,
      withDefaults(new.target.name, options, { inplace: false }).inplace,
    );
  }

  forward(x: Value): Value {
    return x;
  }

  protected override extraRepr(): string {
    return `p=${Number.isInteger(this.p) ? this.p : float(this.p)}, inplace=${bool(this.inplace)}`;
  }
}

/** Returns what it gets; in training it would drop elements. @see torch.nn.Dropout */
export class Dropout extends Dropping {}

/** Returns what it gets; in training it would drop channels of one axis. @see torch.nn.Dropout1d */
export class Dropout1d extends Dropping {
  /** @throws {@link ShapeError} where x has other than two or three axes, as PyTorch does */
  override forward(x: Value): Value {
    const { length } = shapeOf('dropout1d', x);
    if (length === 2 || length === 3) return x;
    throw new ShapeError(
      `dropout1d: Expected 2D or 3D input, but received a ${length}D input. Note that dropout1d exists to provide ` +
        'channel-wise dropout on inputs with 1 spatial dimension, a channel dimension, and an optional batch ' +
        'dimension (i.e. 2D or 3D inputs).',
    );
  }
}

/** Returns what it gets; in training it would drop channels of images. @see torch.nn.Dropout2d */
export class Dropout2d extends Dropping {}

/** Returns what it gets; in training it would drop channels of volumes. @see torch.nn.Dropout3d */
export class Dropout3d extends Dropping {}

/** Returns what it gets; in training it would drop elements and keep the mean. @see torch.nn.AlphaDropout */
export class AlphaDropout extends Dropping {}

/** Returns what it gets; in training it would drop channels and keep the mean. @see torch.nn.FeatureAlphaDropout */
export class FeatureAlphaDropout extends Dropping {}

/** Options of {@link DropPath}. */
export interface DropPathOptions {
  /** Kept as an attribute; it has no part in inference. */
  readonly scaleByKeep?: boolean;
}

/** Returns what it gets; in training it would drop a whole branch of some images. @see timm.layers.DropPath */
export class DropPath extends Layer {
  dropProb: number;
  scaleByKeep: boolean;

  constructor(dropProb = 0, options: DropPathOptions = {}) {
    super();
    this.dropProb = finite('DropPath: dropProb', dropProb);
    const { scaleByKeep } = withDefaults('DropPath', options, { scaleByKeep: true });
    this.scaleByKeep = flag('DropPath: scaleByKeep', scaleByKeep);
  }

  forward(x: Value): Value {
    return x;
  }

  protected override extraRepr(): string {
    return `drop_prob=${this.dropProb.toFixed(3)}`;
  }
}
