/**
 * Convolution of an image of few channels. On a dense copy with its padding, a filter row is contiguous, so the
 * indirect GEMM has as many taps as the filter has rows.
 */

import { numel } from '../../tensor/shape.ts';
import type { Algorithm } from '../lowering/algorithm.ts';
import { writeEpilogue } from '../lowering/epilogue.ts';
import {
  blockTilesOf,
  convolutionPhase,
  gemmConstants,
  gemmScratchBytes,
  listOf,
  tableBytes,
} from '../lowering/gemm.ts';
import { padPhase } from '../lowering/pad.ts';
import { pixelsOf } from '../lowering/slot.ts';
import { NO_SIDES, type Window } from '../rules/window.ts';
import { type Conv2dAttrs, isStem, paddedShape, weightSizes } from './attrs.ts';

/** The one algorithm for stems. */
export const rows: Algorithm<Conv2dAttrs> = {
  name: 'rows',

  prepare(site) {
    const { inputs, output, attrs, engine, weightStorage } = site;
    if (!isStem(attrs)) return null;
    const { stride, padding, dilation } = attrs;
    const { out, inGroup, kernelHeight, kernelWidth, taps } = weightSizes(attrs);
    const constants = gemmConstants(site);
    const shape = paddedShape(inputs[0]!, padding);
    const pixelBytes = inGroup * 4;
    // The copy with padding, in whole cache lines.
    const copyBytes = Math.ceil(numel(shape) / 16) * 64;
    const channelsIn = kernelWidth * inGroup;
    // A filter row is one tap of the copy, and the copy has its padding.
    const window: Window = { kernelSize: [kernelHeight, 1], stride, padding: NO_SIDES, dilation };
    return {
      work: { macs: pixelsOf(output) * out * inGroup * taps, transformed: 0 },
      constants: listOf(constants),
      workspace: {
        tableBytes: tableBytes(pixelsOf(output), kernelHeight, engine.tileRows),
        scratchBytes: copyBytes + gemmScratchBytes({ channelsIn, taps: kernelHeight, weightStorage }, engine),
        zeroBytes: 0,
      },
      phases(binding) {
        const { scratch } = binding;
        const record = writeEpilogue(binding, site.epilogue, constants.norm, binding.residual);
        const copy = { address: scratch, shape, pixelBytes };
        const gemm = convolutionPhase(
          binding,
          { x: copy, window, engine, weightStorage, constants, record },
          {
            channelsIn,
            blockTiles: blockTilesOf(taps * pixelBytes, engine.tileRows),
            scratch: scratch + copyBytes,
          },
        );
        return [padPhase(binding.inputs[0]!, padding, scratch, engine), gemm];
      },
    };
  },
};
