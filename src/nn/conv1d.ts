/** 1-D convolution layers. */

import { describe, ValueError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { flag, whole, withDefaults } from '../options.ts';
import { Parameter } from '../tensor/parameter.ts';
import { checkedMode, type PaddingMode } from './conv2d.ts';
import { conv1d, convTranspose1d, pad } from './functional.ts';
import { Layer } from './layer.ts';
import { single } from './repr.ts';
import { resolvePadding } from './resolve.ts';
import { shapeOf } from './value-shape.ts';

/** @throws {@link ValueError} where groups don't divide the channels, in PyTorch's words */
function checkGroups(layer: string, groups: number, inChannels: number, outChannels: number): void {
  for (const [side, channels] of Object.entries({ in: inChannels, out: outChannels })) {
    if (channels % groups === 0) continue;
    throw new ValueError(
      `${side}_channels must be divisible by groups; ${layer}: got ${side}Channels ${channels}, groups ${groups}`,
    );
  }
}

/** Options of {@link Conv1d}, with PyTorch's defaults. */
export interface Conv1dOptions {
  readonly stride?: number;
  /** On each side, or 'same' / 'valid'. */
  readonly padding?: number | 'same' | 'valid';
  readonly dilation?: number;
  readonly groups?: number;
  readonly bias?: boolean;
  readonly paddingMode?: PaddingMode;
}

/** Convolution of `[N, C, L]`. @see torch.nn.Conv1d */
export class Conv1d extends Layer {
  /** `[outChannels, inChannels / groups, length]` */
  weight: Parameter;
  bias: Parameter | null;
  inChannels: number;
  outChannels: number;
  kernelSize: number;
  stride: number;
  padding: number | 'same' | 'valid';
  dilation: number;
  groups: number;
  paddingMode: PaddingMode;

  /** @throws {@link ValueError} where an option is out of range, in PyTorch's words where it has some */
  constructor(inChannels: number, outChannels: number, kernelSize: number, options: Conv1dOptions = {}) {
    super();
    const { stride, padding, dilation, groups, bias, paddingMode } = withDefaults('Conv1d', options, {
      stride: 1,
      padding: 0,
      dilation: 1,
      groups: 1,
      bias: true,
      paddingMode: 'zeros' as const,
    });
    const sizes = { inChannels, outChannels, kernelSize, stride, dilation, groups };
    for (const [name, value] of Object.entries(sizes)) whole(`Conv1d: ${name}`, value);
    flag('Conv1d: bias', bias);
    checkGroups('Conv1d', groups, inChannels, outChannels);
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = kernelSize;
    this.stride = stride;
    this.padding = padding;
    this.dilation = dilation;
    this.groups = groups;
    this.paddingMode = checkedMode(paddingMode);
    this.weight = new Parameter([outChannels, inChannels / groups, kernelSize]);
    this.bias = bias ? new Parameter([outChannels]) : null;
    this.#sides();
  }

  /** The padding on the left and right, of the attributes as they are now. */
  #sides(): readonly [left: number, right: number] {
    const { padding } = this;
    const both = typeof padding === 'string' ? padding : ([0, whole('Conv1d: padding', padding, 0)] as const);
    const kernel = [1, this.weight.shape[2]!];
    const { left, right } = resolvePadding('Conv1d: padding', both, kernel, [1, this.stride], [1, this.dilation]);
    return [left, right];
  }

  forward(x: Value): Value {
    const { weight, bias, stride, padding, dilation, groups } = this;
    const mode = checkedMode(this.paddingMode);
    if (mode === 'zeros') return conv1d(x, weight, { bias, stride, padding, dilation, groups });
    return conv1d(pad(x, this.#sides(), { mode }), weight, { bias, stride, dilation, groups });
  }

  protected override extraRepr(): string {
    const { inChannels, outChannels, kernelSize, stride, padding, dilation, groups, bias, paddingMode } = this;
    const parts = [inChannels, outChannels, `kernel_size=${single(kernelSize)}`, `stride=${single(stride)}`];
    if (padding !== 0) parts.push(`padding=${typeof padding === 'string' ? padding : single(padding)}`);
    if (dilation !== 1) parts.push(`dilation=${single(dilation)}`);
    if (groups !== 1) parts.push(`groups=${groups}`);
    if (!bias) parts.push('bias=False');
    if (paddingMode !== 'zeros') parts.push(`padding_mode=${paddingMode}`);
    return parts.join(', ');
  }
}

/** Options of {@link ConvTranspose1d}, with PyTorch's defaults. */
export interface ConvTranspose1dOptions {
  readonly stride?: number;
  /** Elements that are cut off on each side. */
  readonly padding?: number;
  /** Elements that are added at the end: less than the stride or the dilation. */
  readonly outputPadding?: number;
  readonly groups?: number;
  readonly bias?: boolean;
  readonly dilation?: number;
  /** As in PyTorch there is no other mode. */
  readonly paddingMode?: 'zeros';
}

/** Transposed convolution of `[N, C, L]`. @see torch.nn.ConvTranspose1d */
export class ConvTranspose1d extends Layer {
  /** `[inChannels, outChannels / groups, length]` */
  weight: Parameter;
  bias: Parameter | null;
  inChannels: number;
  outChannels: number;
  kernelSize: number;
  stride: number;
  padding: number;
  outputPadding: number;
  dilation: number;
  groups: number;
  paddingMode: 'zeros';

  /** @throws {@link ValueError} where an option is out of range, in PyTorch's words where it has some */
  constructor(inChannels: number, outChannels: number, kernelSize: number, options: ConvTranspose1dOptions = {}) {
    super();
    const resolved = withDefaults('ConvTranspose1d', options, {
      stride: 1,
      padding: 0,
      outputPadding: 0,
      groups: 1,
      bias: true,
      dilation: 1,
      paddingMode: 'zeros' as const,
    });
    const { stride, padding, outputPadding, groups, bias, dilation, paddingMode } = resolved;
    const sizes = { inChannels, outChannels, kernelSize, stride, dilation, groups };
    for (const [name, value] of Object.entries(sizes)) whole(`ConvTranspose1d: ${name}`, value);
    flag('ConvTranspose1d: bias', bias);
    checkGroups('ConvTranspose1d', groups, inChannels, outChannels);
    if (paddingMode !== 'zeros') {
      throw new ValueError(
        `Only "zeros" padding mode is supported for ConvTranspose1d; got paddingMode ${describe(paddingMode)}`,
      );
    }
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = kernelSize;
    this.stride = stride;
    this.padding = whole('ConvTranspose1d: padding', padding, 0);
    this.outputPadding = whole('ConvTranspose1d: outputPadding', outputPadding, 0);
    this.dilation = dilation;
    this.groups = groups;
    this.paddingMode = paddingMode;
    this.weight = new Parameter([inChannels, outChannels / groups, kernelSize]);
    this.bias = bias ? new Parameter([outChannels]) : null;
  }

  /**
   * @param outputSize `[length]` of the output, or all its sizes: what decides the output padding in the place of the
   *   option
   * @throws {@link ValueError} where no output padding gives that size, in PyTorch's words
   */
  forward(x: Value, outputSize?: readonly number[]): Value {
    const { weight, bias, stride, padding, dilation, groups } = this;
    const outputPadding = outputSize === undefined ? this.outputPadding : this.#paddingFor(x, outputSize);
    return convTranspose1d(x, weight, { bias, stride, padding, outputPadding, groups, dilation });
  }

  /** The output padding that gives the output's size. */
  #paddingFor(x: Value, outputSize: readonly number[]): number {
    const shape = shapeOf('conv_transpose1d', x);
    const isSize = Array.isArray(outputSize) && (outputSize.length === 1 || outputSize.length === 3);
    const size = isSize ? outputSize.at(-1)! : Number.NaN;
    if (!Number.isSafeInteger(size)) {
      throw new ValueError(
        `ConvTranspose1D: for 3D input, output_size must have 1 or 3 elements (got ${describe(outputSize)})`,
      );
    }
    const { stride, padding, dilation } = this;
    const length = shape.at(-1)!;
    const least = (length - 1) * stride - 2 * padding + dilation * (this.weight.shape[2]! - 1) + 1;
    if (size < least || size > least + stride - 1) {
      throw new ValueError(
        `requested an output size of [${size}], but valid sizes range from [${least}] to [${least + stride - 1}] ` +
          `(for an input of [${length}])`,
      );
    }
    return size - least;
  }

  protected override extraRepr(): string {
    const { inChannels, outChannels, kernelSize, stride, padding, dilation, outputPadding, groups, bias } = this;
    const parts = [inChannels, outChannels, `kernel_size=${single(kernelSize)}`, `stride=${single(stride)}`];
    if (padding !== 0) parts.push(`padding=${single(padding)}`);
    if (dilation !== 1) parts.push(`dilation=${single(dilation)}`);
    if (outputPadding !== 0) parts.push(`output_padding=${single(outputPadding)}`);
    if (groups !== 1) parts.push(`groups=${groups}`);
    if (!bias) parts.push('bias=False');
    return parts.join(', ');
  }
}
