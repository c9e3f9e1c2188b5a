/** Depthwise convolution: assembly/dwconv2d.ts. */

import type { Parameter } from '../../tensor/parameter.ts';
import { numel } from '../../tensor/shape.ts';
import { LANES } from '../../wasm/kernels.gen.ts';
import { runStep } from '../../wasm/step.ts';
import { f32_dwconv2d, f32_nchw_to_nhwc } from '../../wasm/steps.gen.ts';
import type { Algorithm } from '../lowering/algorithm.ts';
import { biasConstant, type Constant } from '../lowering/constant.ts';
import { bands } from '../lowering/cut.ts';
import { normConstant, writeEpilogue } from '../lowering/epilogue.ts';
import { imageSizes, vectorBytes } from '../lowering/slot.ts';
import { stage, stagedBytes } from '../lowering/stage.ts';
import { windowArguments } from '../rules/window.ts';
import { type Conv2dAttrs, isDepthwise, weightSizes, windowOf } from './attrs.ts';

/** The one algorithm for as many groups as channels. */
export const depthwise: Algorithm<Conv2dAttrs> = {
  name: 'depthwise',

  prepare({ output: shape, attrs, epilogue, engine }) {
    if (!isDepthwise(attrs)) return null;
    const layout = { channels: attrs.groups, groups: 1, multiple: LANES };
    const weights = weightConstant(attrs.weight);
    const bias = biasConstant(attrs.bias, layout);
    const norm = normConstant(epilogue.norm, layout);
    return {
      work: { macs: numel(shape) * weightSizes(attrs).taps, transformed: 0 },
      constants: [weights, bias, norm],
      phases(binding) {
        const { output, addressOf } = binding;
        const x = binding.inputs[0]!;
        const { images, channels, height, width } = imageSizes(x.shape);
        const out = imageSizes(output.shape);
        const record = writeEpilogue(binding, epilogue, norm, binding.residual);
        const steps = bands(images, out.height, engine.threads).map((band) =>
          f32_dwconv2d({
            firstImage: band.image,
            lastImage: band.image + band.images,
            channels,
            height,
            width,
            outHeight: out.height,
            outWidth: out.width,
            ...windowArguments(windowOf(attrs)),
            firstRow: band.row,
            lastRow: band.row + band.rows,
            x: x.address,
            pixelBytes: x.pixelBytes,
            weights: addressOf(weights),
            out: output.address,
            outBytes: output.pixelBytes,
            bias: addressOf(bias),
            epilogue: record,
          }),
        );
        return [steps];
      },
    };
  },
};

/** The weight `[channels, 1, taps]` as the kernel reads it: an image whose pixels are taps, channels-last. */
function weightConstant(weight: Parameter): Constant {
  const channels = weight.shape[0]!;
  const taps = numel(weight.shape.slice(2));
  const pixelBytes = vectorBytes(channels);
  return {
    owner: weight,
    form: 'depthwise',
    bytes: taps * pixelBytes,
    weight,
    scratchBytes: stagedBytes(weight.numel()),
    write({ kernels, address, scratch, valuesOf }) {
      stage(kernels, valuesOf(weight), { first: 0, count: weight.numel() }, scratch);
      // Channels beyond the last are zero.
      new Uint8Array(kernels.memory.buffer, address, taps * pixelBytes).fill(0);
      runStep(kernels, f32_nchw_to_nhwc({ channels, pixels: taps, x: scratch, out: address, pixelBytes }));
    },
  };
}
