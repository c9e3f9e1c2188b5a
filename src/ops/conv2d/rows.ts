/**
 * Convolution of an image of few channels: on a dense copy with its padding, a filter row is one contiguous run, so the indirect GEMM
 * has as many taps as the filter has rows.
 */

import { numel, type Shape } from '../../tensor/shape.ts';
import { biasConstants, epilogueArguments, normConstants } from '../epilogue.ts';
import { blockTiles, gemmPhase, panelBytes, panelConstant, tableBytes, wideBytes } from '../gemm.ts';
import { type Algorithm, pixelsOf } from '../op.ts';
import { padPhase } from '../pad.ts';
import { type Conv2dAttrs, imageSizes, isStem, paddedShape, weightSizes } from './attrs.ts';

/** Bytes of the copy with padding, in whole cache lines. */
function copyBytes(x: Shape, { padding }: Conv2dAttrs): number {
  return Math.ceil(numel(paddedShape(x, padding)) / 16) * 64;
}

/** The one algorithm for stems. */
export const rows: Algorithm<Conv2dAttrs> = {
  name: 'rows',
  fits: ({ attrs }) => isStem(attrs),

  constants({ attrs, epilogue, weightStorage }) {
    const form = { channels: attrs.weight.shape[0]!, groups: 1, panel: 8 } as const;
    return [
      panelConstant(attrs.weight, weightStorage),
      ...biasConstants(attrs.bias, form),
      ...normConstants(epilogue, form),
    ];
  },

  workspace({ inputs, output, attrs, engine, weightStorage }) {
    const { inGroup, kernelHeight, taps } = weightSizes(attrs);
    return {
      tableBytes: tableBytes(pixelsOf(output), kernelHeight, engine.tileRows),
      scratchBytes: copyBytes(inputs[0]!, attrs) + wideBytes(inGroup, taps, weightStorage, engine),
      zeroBytes: 0,
    };
  },

  bind(binding, attrs) {
    const { kernels, engine, weightStorage, output, constants, table, scratch } = binding;
    const x = binding.inputs[0]!;
    const { stride, padding, dilation, bias } = attrs;
    const { out, kernelHeight, kernelWidth } = weightSizes(attrs);
    const { images, channels } = imageSizes(x.shape);
    const padded = imageSizes(paddedShape(x.shape, padding));
    const { height: outHeight, width: outWidth } = imageSizes(output.shape);
    const { tileRows } = engine;
    const pixelBytes = channels * 4;
    kernels.f32_conv2d_table(
      ...([images, padded.height, padded.width, outHeight, outWidth, kernelHeight, 1, ...stride, 0, 0] as const),
      ...([...dilation, tileRows, 0, scratch, pixelBytes, 0, table] as const),
    );
    const gemm = {
      rows: images * outHeight * outWidth,
      groups: 1,
      channelsIn: kernelWidth * channels,
      channelsOut: out,
      taps: kernelHeight,
      blockTiles: blockTiles(kernelHeight * kernelWidth * pixelBytes, tileRows),
      table,
      weights: constants[0]!,
      panelBytes: panelBytes(channels, kernelHeight * kernelWidth, weightStorage),
      wide: weightStorage === 'f16' ? scratch + copyBytes(x.shape, attrs) : undefined,
      out: output.address,
      outBytes: output.pixelBytes,
      bias: bias ? constants[1]! : 0,
      epilogue: epilogueArguments(binding),
    };
    return [padPhase(x, padding, scratch, pixelBytes, engine), gemmPhase(gemm, engine)];
  },
};
