/** Depthwise convolution: assembly/dwconv2d.ts on the image, or on a copy of a small one with its padding. */

import type { Parameter } from '../../tensor/parameter.ts';
import { numel } from '../../tensor/shape.ts';
import { biasConstants, epilogueArguments, normConstants } from '../epilogue.ts';
import { type Algorithm, bands, type Constant, type Phase, pixelBytesOf, pixelsOf, stepOf } from '../op.ts';
import { padPhase } from '../pad.ts';
import { stage, stagedBytes } from '../stage.ts';
import type { Sides } from '../window.ts';
import { type Conv2dAttrs, type Conv2dSite, imageSizes, isDepthwise, paddedShape, weightSizes } from './attrs.ts';

/** The one algorithm for as many groups as channels. */
export const depthwise: Algorithm<Conv2dAttrs> = {
  name: 'depthwise',
  fits: ({ attrs }) => isDepthwise(attrs),

  constants({ attrs, epilogue }) {
    const form = { channels: attrs.groups, groups: 1, panel: 4 } as const;
    return [weightConstant(attrs.weight), ...biasConstants(attrs.bias, form), ...normConstants(epilogue, form)];
  },

  workspace(site) {
    const padded = paddedShape(site.inputs[0]!, site.attrs.padding);
    const copiedBytes = pixelsOf(padded) * pixelBytesOf(padded);
    const scratchBytes = isCopied(site) ? copiedBytes : site.engine.threads * windowBytes(site.attrs);
    return { tableBytes: 0, scratchBytes: isPadded(site.attrs.padding) ? scratchBytes : 0, zeroBytes: 0 };
  },

  bind(binding, attrs) {
    const { engine, output, constants, scratch } = binding;
    const x = binding.inputs[0]!;
    const { stride, dilation, bias } = attrs;
    const { kernelHeight, kernelWidth } = weightSizes(attrs);
    const { images, channels, height, width } = imageSizes(x.shape);
    const out = imageSizes(output.shape);
    const copies = isCopied({ inputs: [x.shape], output: output.shape, attrs });
    const read = copies ? imageSizes(paddedShape(x.shape, attrs.padding)) : { height, width };
    const { top, left } = copies ? { top: 0, left: 0 } : attrs.padding;
    const [from, fromBytes] = copies ? [scratch, pixelBytesOf(x.shape)] : [x.address, x.pixelBytes];
    const [scale, shift, residual, residualBytes, ...activation] = epilogueArguments(binding);
    const convolve: Phase = bands(images, out.height, engine.threads).map((band, i) => {
      const pixel = band.image * out.height * out.width;
      return stepOf(
        'f32_dwconv2d',
        ...([band.images, channels, read.height, read.width, out.height, out.width] as const),
        ...([kernelHeight, kernelWidth, ...stride, top, left, ...dilation] as const),
        ...([band.row, band.row + band.rows] as const),
        ...([from + band.image * read.height * read.width * fromBytes, fromBytes] as const),
        ...([scratch + (copies ? 0 : (i % engine.threads) * windowBytes(attrs)), constants[0]!] as const),
        ...([output.address + pixel * output.pixelBytes, output.pixelBytes, bias ? constants[1]! : 0] as const),
        ...([scale, shift, residual && residual + pixel * residualBytes, residualBytes, ...activation] as const),
      );
    });
    return copies ? [padPhase(x, attrs.padding, scratch, fromBytes, engine), convolve] : [convolve];
  },
};

/** Bytes of the copy of a window that f32_dwconv2d makes where it reaches beyond a side. */
function windowBytes({ weight, stride, dilation }: Conv2dAttrs): number {
  const [, , kernelHeight, kernelWidth] = weight.shape as [number, number, number, number];
  return kernelHeight * (3 * stride[1] + (kernelWidth - 1) * dilation[1] + 1) * 256;
}

/** Whether a copy of the image with its padding is smaller than those of all windows at its sides. */
function isCopied({ inputs, output, attrs }: Pick<Conv2dSite, 'inputs' | 'output' | 'attrs'>): boolean {
  const padded = imageSizes(paddedShape(inputs[0]!, attrs.padding));
  const windows = 2 * imageSizes(output).height * windowBytes(attrs);
  return isPadded(attrs.padding) && windows > padded.height * padded.width * 256;
}

function weightConstant(weight: Parameter): Constant {
  const channels = weight.shape[0]!;
  const taps = numel(weight.shape.slice(2));
  return {
    owner: weight,
    form: 'depthwise',
    bytes: Math.ceil(channels / 4) * 4 * taps * 4,
    weight,
    scratchBytes: stagedBytes(weight.numel()),
    write({ kernels, address, scratch, valuesOf }) {
      stage(kernels, valuesOf(weight), 0, weight.numel(), scratch);
      kernels.f32_pack_dwconv2d(channels, taps, scratch, address);
    },
  };
}

function isPadded({ top, left, bottom, right }: Sides): boolean {
  return top + left + bottom + right > 0;
}
