/** Transposed convolution layers. */

import { describe, ValueError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { type Pair, toPair } from '../ops/rules/window.ts';
import { flag, whole, withDefaults } from '../options.ts';
import { Parameter } from '../tensor/parameter.ts';
import { formatShape } from '../tensor/shape.ts';
import { convTranspose2d } from './functional.ts';
import { Layer } from './layer.ts';
import { tuple } from './repr.ts';
import { shapeOf } from './value-shape.ts';

/** Options of {@link ConvTranspose2d}, with PyTorch's defaults. */
export interface ConvTranspose2dOptions {
  readonly stride?: number | Pair;
  /** Pixels that are cut off on each side. */
  readonly padding?: number | Pair;
  /** Pixels that are added below and to the right: less than the stride or the dilation. */
  readonly outputPadding?: number | Pair;
  readonly groups?: number;
  readonly bias?: boolean;
  readonly dilation?: number | Pair;
  /** As in PyTorch there is no other mode. */
  readonly paddingMode?: 'zeros';
}

/**
 * Transposed 2-D convolution. Attributes may be set at any time: the next call computes with them. @see
 * torch.nn.ConvTranspose2d
 */
export class ConvTranspose2d extends Layer {
  /** `[inChannels, outChannels / groups, height, width]` */
  weight: Parameter;
  bias: Parameter | null;
  inChannels: number;
  outChannels: number;
  kernelSize: Pair;
  stride: Pair;
  padding: Pair;
  outputPadding: Pair;
  dilation: Pair;
  groups: number;
  paddingMode: 'zeros';

  /** @throws {@link ValueError} where an option is out of range, in PyTorch's words where it has some */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number | Pair,
    options: ConvTranspose2dOptions = {},
  ) {
    super();
    const resolved = withDefaults('ConvTranspose2d', options, {
      stride: 1,
      padding: 0,
      outputPadding: 0,
      groups: 1,
      bias: true,
      dilation: 1,
      paddingMode: 'zeros' as const,
    });
    const { groups, bias, paddingMode } = resolved;
    const sizes = { inChannels, outChannels, groups };
    for (const [name, value] of Object.entries(sizes)) whole(`ConvTranspose2d: ${name}`, value);
    flag('ConvTranspose2d: bias', bias);
    for (const [side, channels] of Object.entries({ in: inChannels, out: outChannels })) {
      if (channels % groups === 0) continue;
      throw new ValueError(
        `${side}_channels must be divisible by groups; ConvTranspose2d: got ${side}Channels ${channels}, ` +
          `groups ${groups}`,
      );
    }
    if (paddingMode !== 'zeros') {
      throw new ValueError(
        `Only "zeros" padding mode is supported for ConvTranspose2d; got paddingMode ${describe(paddingMode)}`,
      );
    }
    const pair = (name: 'stride' | 'padding' | 'outputPadding' | 'dilation', least: number) =>
      toPair(`ConvTranspose2d: ${name}`, resolved[name], least);
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.groups = groups;
    this.kernelSize = toPair('ConvTranspose2d: kernelSize', kernelSize, 1);
    this.stride = pair('stride', 1);
    this.padding = pair('padding', 0);
    this.outputPadding = pair('outputPadding', 0);
    this.dilation = pair('dilation', 1);
    this.paddingMode = paddingMode;
    this.weight = new Parameter([inChannels, outChannels / groups, ...this.kernelSize]);
    this.bias = bias ? new Parameter([outChannels]) : null;
  }

  /**
   * @param outputSize `[height, width]` of the output, or all its sizes: they decide the output padding in the place of
   *   the option
   * @throws {@link ValueError} where no output padding gives that size, in PyTorch's words
   */
  forward(x: Value, outputSize?: readonly number[]): Value {
    const { weight, bias, stride, padding, dilation, groups } = this;
    const outputPadding = outputSize === undefined ? this.outputPadding : this.#paddingFor(x, outputSize);
    return convTranspose2d(x, weight, { bias, stride, padding, outputPadding, groups, dilation });
  }

  /** The output padding that gives the output's size. */
  #paddingFor(x: Value, outputSize: readonly number[]): Pair {
    const shape = shapeOf('conv_transpose2d', x);
    const size = Array.isArray(outputSize) && outputSize.length === 4 ? outputSize.slice(2) : outputSize;
    if (!Array.isArray(size) || size.length !== 2 || !size.every(Number.isSafeInteger)) {
      throw new ValueError(
        `ConvTranspose2D: for 4D input, output_size must have 2 or 4 elements (got ${describe(outputSize)})`,
      );
    }
    const [stride, padding, dilation] = [
      toPair('ConvTranspose2d: stride', this.stride, 1),
      toPair('ConvTranspose2d: padding', this.padding, 0),
      toPair('ConvTranspose2d: dilation', this.dilation, 1),
    ];
    const least = ([2, 3] as const).map((axis) => {
      const [kernel, at] = [this.weight.shape[axis]!, axis - 2];
      return (shape[axis]! - 1) * stride[at]! - 2 * padding[at]! + dilation[at]! * (kernel - 1) + 1;
    });
    const most = least.map((smallest, axis) => smallest + stride[axis]! - 1);
    if (size.some((wanted, axis) => wanted < least[axis]! || wanted > most[axis]!)) {
      throw new ValueError(
        `requested an output size of ${formatShape(size)}, but valid sizes range from ${formatShape(least)} to ` +
          `${formatShape(most)} (for an input of ${formatShape(shape.slice(2))})`,
      );
    }
    return [size[0] - least[0]!, size[1] - least[1]!];
  }

  protected override extraRepr(): string {
    const { inChannels, outChannels, kernelSize, stride, padding, dilation, outputPadding, groups, bias } = this;
    const parts = [inChannels, outChannels, `kernel_size=${tuple(kernelSize)}`, `stride=${tuple(stride)}`];
    if (padding.some((p) => p !== 0)) parts.push(`padding=${tuple(padding)}`);
    if (dilation.some((d) => d !== 1)) parts.push(`dilation=${tuple(dilation)}`);
    if (outputPadding.some((p) => p !== 0)) parts.push(`output_padding=${tuple(outputPadding)}`);
    if (groups !== 1) parts.push(`groups=${groups}`);
    if (!bias) parts.push('bias=False');
    return parts.join(', ');
  }
}
