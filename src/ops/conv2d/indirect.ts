/** The indirect GEMM of assembly/conv2d.ts: any kernel, stride, padding, dilation and groups. */

import { convolutionPhase, gemmConstants, tableBytes, wideBytes } from '../gemm.ts';
import { type Algorithm, channelsOf, pixelsOf } from '../op.ts';
import { type Conv2dAttrs, isDepthwise, isStem, weightSizes, windowOf } from './attrs.ts';

/**
 * Groups that are computed as one, with zeros between them: a panel has eight output channels, so groups of fewer would waste its
 * lanes and, worse, its loads.
 */
function mergedGroups(attrs: Conv2dAttrs): number {
  const { groups } = attrs;
  const outGroup = weightSizes(attrs).out / groups;
  let merged = 1;
  while (merged * outGroup < 8 && groups % (merged * 2) === 0) merged *= 2;
  return merged;
}

/** The algorithm that always fits, but where a special one does. */
export const indirect: Algorithm<Conv2dAttrs> = {
  name: 'indirect',
  addsInPlace: true,
  fits: ({ attrs }) => !isDepthwise(attrs) && !isStem(attrs),

  work({ output, attrs }) {
    const { out, inGroup, taps } = weightSizes(attrs);
    return { macs: pixelsOf(output) * out * inGroup * mergedGroups(attrs) * taps, transformed: 0 };
  },

  constants: (site) => gemmConstants(site, site.attrs.groups, mergedGroups(site.attrs)),

  workspace({ inputs, output, attrs, engine, weightStorage }) {
    const { inGroup, taps } = weightSizes(attrs);
    return {
      tableBytes: tableBytes(pixelsOf(output), taps, engine.tileRows),
      scratchBytes: wideBytes(inGroup * mergedGroups(attrs), taps, weightStorage, engine),
      zeroBytes: channelsOf(inputs[0]!) * 4,
    };
  },

  bind(binding, attrs) {
    const { out, inGroup } = weightSizes(attrs);
    const merged = mergedGroups(attrs);
    const groups = attrs.groups / merged;
    const group = { groups, channelsIn: inGroup * merged, channelsOut: out / groups };
    return [convolutionPhase(binding, binding.inputs[0]!, windowOf(attrs), group)];
  },
};
