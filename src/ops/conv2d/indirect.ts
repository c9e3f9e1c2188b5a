/** The indirect GEMM of assembly/conv2d.ts: any kernel, stride, padding, dilation and groups. */

import { convolutionPhase, gemmConstants, gemmScratchBytes, tableBytes } from '../gemm.ts';
import { type Algorithm, channelsOf, pixelsOf } from '../op.ts';
import { type Conv2dAttrs, isDepthwise, isStem, weightSizes, windowOf } from './attrs.ts';

/** The algorithm that always fits, but where a special one does. */
export const indirect: Algorithm<Conv2dAttrs> = {
  name: 'indirect',
  addsInPlace: true,
  fits: ({ attrs }) => !isDepthwise(attrs) && !isStem(attrs),

  work({ output, attrs }) {
    const { out, inGroup, taps } = weightSizes(attrs);
    return { macs: pixelsOf(output) * out * inGroup * taps, transformed: 0 };
  },

  constants: (site) => gemmConstants(site, site.attrs.groups),

  workspace({ inputs, output, attrs, engine, weightStorage }) {
    const { inGroup, taps } = weightSizes(attrs);
    return {
      tableBytes: tableBytes(pixelsOf(output), taps, engine.tileRows),
      scratchBytes: gemmScratchBytes({ channelsIn: inGroup, taps, weightStorage }, engine),
      zeroBytes: channelsOf(inputs[0]!) * 4,
    };
  },

  bind(binding, attrs) {
    const { out, inGroup } = weightSizes(attrs);
    const { groups } = attrs;
    const group = { groups, channelsIn: inGroup, channelsOut: out / groups };
    return [convolutionPhase(binding, binding.inputs[0]!, windowOf(attrs), group)];
  },
};
