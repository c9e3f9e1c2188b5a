/** The indirect GEMM of assembly/conv2d.ts: any kernel, stride, padding, dilation and groups. */

import type { Algorithm } from '../lowering/algorithm.ts';
import { writeEpilogue } from '../lowering/epilogue.ts';
import { convolutionPhase, gemmConstants, gemmScratchBytes, listOf, tableBytes } from '../lowering/gemm.ts';
import { channelsOf, pixelsOf } from '../lowering/slot.ts';
import { type Conv2dAttrs, isDepthwise, isStem, weightSizes, windowOf } from './attrs.ts';

/** The algorithm for every convolution but depthwise ones and stems, which have algorithms of their own. */
export const indirect: Algorithm<Conv2dAttrs> = {
  name: 'indirect',
  addsInPlace: true,

  prepare(site) {
    const { inputs, output, attrs, engine, weightStorage } = site;
    if (isDepthwise(attrs) || isStem(attrs)) return null;
    const { out, inGroup, taps } = weightSizes(attrs);
    const { groups } = attrs;
    const constants = gemmConstants(site, groups);
    return {
      work: { macs: pixelsOf(output) * out * inGroup * taps, transformed: 0 },
      constants: listOf(constants),
      workspace: {
        tableBytes: tableBytes(pixelsOf(output), taps, engine.tileRows),
        scratchBytes: gemmScratchBytes({ channelsIn: inGroup, taps, weightStorage }, engine),
        zeroBytes: channelsOf(inputs[0]!) * 4,
      },
      phases(binding) {
        const record = writeEpilogue(binding, site.epilogue, constants.norm, binding.residual);
        const [x] = binding.inputs;
        const convolution = { x: x!, window: windowOf(attrs), engine, weightStorage, constants, record };
        return [convolutionPhase(binding, convolution, { groups, channelsIn: inGroup, channelsOut: out / groups })];
      },
    };
  },
};
