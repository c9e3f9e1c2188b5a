/** Depthwise convolution: assembly/dwconv2d.ts. */

import type { Parameter } from '../../tensor/parameter.ts';
import { numel } from '../../tensor/shape.ts';
import { biasConstants, epilogueArguments, normConstants } from '../epilogue.ts';
import { type Algorithm, bands, type Constant, stepOf } from '../op.ts';
import { stage, stagedBytes } from '../stage.ts';
import { type Conv2dAttrs, imageSizes, isDepthwise, weightSizes } from './attrs.ts';

/** The one algorithm for as many groups as channels. */
export const depthwise: Algorithm<Conv2dAttrs> = {
  name: 'depthwise',
  fits: ({ attrs }) => isDepthwise(attrs),

  constants({ attrs, epilogue }) {
    const form = { channels: attrs.groups, groups: 1, panel: 4 } as const;
    return [weightConstant(attrs.weight), ...biasConstants(attrs.bias, form), ...normConstants(epilogue, form)];
  },

  bind(binding, attrs) {
    const { engine, output, constants } = binding;
    const x = binding.inputs[0]!;
    const { stride, padding, dilation, bias } = attrs;
    const { kernelHeight, kernelWidth } = weightSizes(attrs);
    const { images, channels, height, width } = imageSizes(x.shape);
    const out = imageSizes(output.shape);
    const [scale, shift, residual, residualBytes, ...activation] = epilogueArguments(binding);
    const steps = bands(images, out.height, engine.threads).map((band) => {
      const pixel = band.image * out.height * out.width;
      return stepOf(
        'f32_dwconv2d',
        ...([band.images, channels, height, width, out.height, out.width] as const),
        ...([kernelHeight, kernelWidth, ...stride, padding.top, padding.left, ...dilation] as const),
        ...([band.row, band.row + band.rows] as const),
        ...([x.address + band.image * height * width * x.pixelBytes, x.pixelBytes, constants[0]!] as const),
        ...([output.address + pixel * output.pixelBytes, output.pixelBytes, bias ? constants[1]! : 0] as const),
        ...([scale, shift, residual && residual + pixel * residualBytes, residualBytes, ...activation] as const),
      );
    });
    return [steps];
  },
};

/** The weight `[channels, 1, taps]` as the kernel reads it: an image whose pixels are taps, channels-last. */
function weightConstant(weight: Parameter): Constant {
  const channels = weight.shape[0]!;
  const taps = numel(weight.shape.slice(2));
  const pixelBytes = Math.ceil(channels / 4) * 16;
  return {
    owner: weight,
    form: 'depthwise',
    bytes: taps * pixelBytes,
    weight,
    scratchBytes: stagedBytes(weight.numel()),
    write({ kernels, address, scratch, valuesOf }) {
      stage(kernels, valuesOf(weight), 0, weight.numel(), scratch);
      // Channels beyond the last are zero.
      new Uint8Array(kernels.memory.buffer, address, taps * pixelBytes).fill(0);
      kernels.f32_nchw_to_nhwc(channels, taps, scratch, address, pixelBytes);
    },
  };
}
