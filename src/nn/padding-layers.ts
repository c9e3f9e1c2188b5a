/** Layers that pad images, and that make pixels of channels. */

import { describe, ValueError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { finite, whole } from '../options.ts';
import { pad, pixelShuffle, pixelUnshuffle } from './functional.ts';
import { Layer } from './layer.ts';
import { tuple } from './repr.ts';

/** One number for all sides, or `[left, right, top, bottom]` as PyTorch has them; less than nothing cuts. */
export type Padding2d = number | readonly [left: number, right: number, top: number, bottom: number];

/** One number for both sides, or `[left, right]`; less than nothing cuts. */
export type Padding1d = number | readonly [left: number, right: number];

/** The sides as a list. @throws {@link ValueError} where they are something else */
function toList<Sides extends readonly number[]>(name: string, padding: unknown, sides: string): Sides {
  const { length } = sides.split(',');
  const list: unknown = typeof padding === 'number' ? new Array(length).fill(padding) : padding;
  if (!Array.isArray(list) || list.length !== length || ![...list].every(Number.isSafeInteger)) {
    throw new ValueError(`${name}: expected padding as a whole number or ${sides}, got ${describe(padding)}`);
  }
  return list as unknown as Sides;
}

/** What layers that pad images share. */
abstract class ImagePadding extends Layer {
  padding: readonly [left: number, right: number, top: number, bottom: number];

  constructor(padding: Padding2d) {
    super();
    this.padding = toList(new.target.name, padding, '[left, right, top, bottom]');
  }

  protected override extraRepr(): string {
    return tuple(this.padding);
  }
}

/** What layers that pad rows share. */
abstract class RowPadding extends Layer {
  padding: readonly [left: number, right: number];

  constructor(padding: Padding1d) {
    super();
    this.padding = toList(new.target.name, padding, '[left, right]');
  }

  protected override extraRepr(): string {
    return tuple(this.padding);
  }
}

/** A number around images. @see torch.nn.ConstantPad2d */
export class ConstantPad2d extends ImagePadding {
  value: number;

  constructor(padding: Padding2d, value: number) {
    super(padding);
    this.value = finite('ConstantPad2d: value', value);
  }

  forward(x: Value): Value {
    return pad(x, this.padding, { value: this.value });
  }

  /** Its options, as PyTorch prints them. */
  protected override extraRepr(): string {
    return `padding=${tuple(this.padding)}, value=${this.value}`;
  }
}

/** Zeros around images. @see torch.nn.ZeroPad2d */
export class ZeroPad2d extends ImagePadding {
  forward(x: Value): Value {
    return pad(x, this.padding);
  }
}

/** Images mirrored at their edges. @see torch.nn.ReflectionPad2d */
export class ReflectionPad2d extends ImagePadding {
  forward(x: Value): Value {
    return pad(x, this.padding, { mode: 'reflect' });
  }
}

/** Images whose edges are repeated. @see torch.nn.ReplicationPad2d */
export class ReplicationPad2d extends ImagePadding {
  forward(x: Value): Value {
    return pad(x, this.padding, { mode: 'replicate' });
  }
}

/** Images repeated around themselves. @see torch.nn.CircularPad2d */
export class CircularPad2d extends ImagePadding {
  forward(x: Value): Value {
    return pad(x, this.padding, { mode: 'circular' });
  }
}

/** A number around rows. @see torch.nn.ConstantPad1d */
export class ConstantPad1d extends RowPadding {
  value: number;

  constructor(padding: Padding1d, value: number) {
    super(padding);
    this.value = finite('ConstantPad1d: value', value);
  }

  forward(x: Value): Value {
    return pad(x, this.padding, { value: this.value });
  }

  /** Its options, as PyTorch prints them. */
  protected override extraRepr(): string {
    return `padding=${tuple(this.padding)}, value=${this.value}`;
  }
}

/** Zeros around rows. @see torch.nn.ZeroPad1d */
export class ZeroPad1d extends RowPadding {
  forward(x: Value): Value {
    return pad(x, this.padding);
  }
}

/** Rows mirrored at their ends. @see torch.nn.ReflectionPad1d */
export class ReflectionPad1d extends RowPadding {
  forward(x: Value): Value {
    return pad(x, this.padding, { mode: 'reflect' });
  }
}

/** Rows whose ends are repeated. @see torch.nn.ReplicationPad1d */
export class ReplicationPad1d extends RowPadding {
  forward(x: Value): Value {
    return pad(x, this.padding, { mode: 'replicate' });
  }
}

/** Rows repeated around themselves. @see torch.nn.CircularPad1d */
export class CircularPad1d extends RowPadding {
  forward(x: Value): Value {
    return pad(x, this.padding, { mode: 'circular' });
  }
}

/** `[N, C / r², H·r, W·r]` of `[N, C, H, W]`. @see torch.nn.PixelShuffle */
export class PixelShuffle extends Layer {
  upscaleFactor: number;

  constructor(upscaleFactor: number) {
    super();
    this.upscaleFactor = whole('PixelShuffle: upscaleFactor', upscaleFactor);
  }

  forward(x: Value): Value {
    return pixelShuffle(x, this.upscaleFactor);
  }

  protected override extraRepr(): string {
    return `upscale_factor=${this.upscaleFactor}`;
  }
}

/** `[N, C·r², H / r, W / r]` of `[N, C, H, W]`. @see torch.nn.PixelUnshuffle */
export class PixelUnshuffle extends Layer {
  downscaleFactor: number;

  constructor(downscaleFactor: number) {
    super();
    this.downscaleFactor = whole('PixelUnshuffle: downscaleFactor', downscaleFactor);
  }

  forward(x: Value): Value {
    return pixelUnshuffle(x, this.downscaleFactor);
  }

  protected override extraRepr(): string {
    return `downscale_factor=${this.downscaleFactor}`;
  }
}
