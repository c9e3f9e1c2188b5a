/** Depthwise convolution: assembly/dwconv2d.ts on the image, or on a copy of it with its padding. */

import type { Parameter } from '../../tensor/parameter.ts';
import { numel } from '../../tensor/shape.ts';
import { biasConstants, epilogueArguments, normConstants } from '../epilogue.ts';
import { type Algorithm, bands, type Constant, type Phase, pixelBytesOf, pixelsOf, stepOf } from '../op.ts';
import { padPhase } from '../pad.ts';
import { stage, stagedBytes } from '../stage.ts';
import type { Sides } from '../window.ts';
import { type Conv2dAttrs, imageSizes, isDepthwise, paddedShape, weightSizes } from './attrs.ts';

/** The one algorithm for as many groups as channels. */
export const depthwise: Algorithm<Conv2dAttrs> = {
  name: 'depthwise',
  fits: ({ attrs }) => isDepthwise(attrs),

  constants({ attrs, epilogue }) {
    const form = { channels: attrs.groups, groups: 1, panel: 4 } as const;
    return [weightConstant(attrs.weight), ...biasConstants(attrs.bias, form), ...normConstants(epilogue, form)];
  },

  workspace({ inputs, attrs }) {
    const padded = paddedShape(inputs[0]!, attrs.padding);
    const scratchBytes = isPadded(attrs.padding) ? pixelsOf(padded) * pixelBytesOf(padded) : 0;
    return { tableBytes: 0, scratchBytes, zeroBytes: 0 };
  },

  bind(binding, attrs) {
    const { engine, output, constants, scratch } = binding;
    const x = binding.inputs[0]!;
    const { stride, padding, dilation, bias } = attrs;
    const { kernelHeight, kernelWidth } = weightSizes(attrs);
    const { images, channels, height, width } = imageSizes(x.shape);
    const out = imageSizes(output.shape);
    const isCopied = isPadded(padding);
    const read = isCopied ? imageSizes(paddedShape(x.shape, padding)) : { height, width };
    const [from, fromBytes] = isCopied ? [scratch, pixelBytesOf(x.shape)] : [x.address, x.pixelBytes];
    const [scale, shift, residual, residualBytes, ...activation] = epilogueArguments(binding);
    const convolve: Phase = bands(images, out.height, engine.threads).map((band) => {
      const row = band.image * read.height + band.row * stride[0];
      const pixel = (band.image * out.height + band.row) * out.width;
      return stepOf(
        'f32_dwconv2d',
        ...([band.images, channels, read.height, read.width, band.rows, out.width] as const),
        ...([kernelHeight, kernelWidth, ...stride, ...dilation] as const),
        ...([from + row * read.width * fromBytes, fromBytes, constants[0]!] as const),
        ...([output.address + pixel * output.pixelBytes, output.pixelBytes, bias ? constants[1]! : 0] as const),
        ...([scale, shift, residual && residual + pixel * residualBytes, residualBytes, ...activation] as const),
      );
    });
    return isCopied ? [padPhase(x, padding, scratch, fromBytes, engine), convolve] : [convolve];
  },
};

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
