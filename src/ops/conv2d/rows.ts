/**
 * Convolution of an image of few channels: on a dense copy with its padding, a filter row is one contiguous run, so the indirect GEMM
 * has as many taps as the filter has rows.
 */

import { numel, type Shape } from '../../tensor/shape.ts';
import { blockTiles, convolutionPhase, gemmConstants, gemmScratchBytes, tableBytes } from '../gemm.ts';
import { type Algorithm, pixelsOf } from '../op.ts';
import { padPhase } from '../pad.ts';
import { NO_SIDES, type Window } from '../window.ts';
import { type Conv2dAttrs, isStem, paddedShape, weightSizes } from './attrs.ts';

/** Bytes of the copy with padding, in whole cache lines. */
function copyBytes(x: Shape, { padding }: Conv2dAttrs): number {
  return Math.ceil(numel(paddedShape(x, padding)) / 16) * 64;
}

/** The one algorithm for stems. */
export const rows: Algorithm<Conv2dAttrs> = {
  name: 'rows',
  fits: ({ attrs }) => isStem(attrs),

  constants: (site) => gemmConstants(site),

  workspace({ inputs, output, attrs, engine, weightStorage }) {
    const { inGroup, kernelHeight, kernelWidth } = weightSizes(attrs);
    const terms = { channelsIn: kernelWidth * inGroup, taps: kernelHeight, weightStorage };
    return {
      tableBytes: tableBytes(pixelsOf(output), kernelHeight, engine.tileRows),
      scratchBytes: copyBytes(inputs[0]!, attrs) + gemmScratchBytes(terms, engine),
      zeroBytes: 0,
    };
  },

  bind(binding, attrs) {
    const { engine, scratch } = binding;
    const x = binding.inputs[0]!;
    const { stride, padding, dilation } = attrs;
    const { inGroup, kernelHeight, kernelWidth, taps } = weightSizes(attrs);
    const pixelBytes = inGroup * 4;
    const copy = { address: scratch, shape: paddedShape(x.shape, padding), pixelBytes };
    const window: Window = { kernelSize: [kernelHeight, 1], stride, padding: NO_SIDES, dilation };
    const gemm = convolutionPhase(binding, copy, window, {
      channelsIn: kernelWidth * inGroup,
      blockTiles: blockTiles(taps * pixelBytes, engine.tileRows),
      scratch: scratch + copyBytes(x.shape, attrs),
    });
    return [padPhase(x, padding, scratch, engine), gemm];
  },
};
