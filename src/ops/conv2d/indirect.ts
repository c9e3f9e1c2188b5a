/** The indirect GEMM of assembly/conv2d.ts: any kernel, stride, padding, dilation and groups. */

import { biasConstants, epilogueArguments, normConstants } from '../epilogue.ts';
import { blockTiles, gemmPhase, panelBytes, panelConstant, tableBytes, wideBytes } from '../gemm.ts';
import { type Algorithm, channelsOf, pixelsOf } from '../op.ts';
import { type Conv2dAttrs, imageSizes, isDepthwise, isStem, weightSizes } from './attrs.ts';

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
  fits: ({ attrs }) => !isDepthwise(attrs) && !isStem(attrs),

  work({ output, attrs }) {
    const { out, inGroup, taps } = weightSizes(attrs);
    return { macs: pixelsOf(output) * out * inGroup * mergedGroups(attrs) * taps, transformed: 0 };
  },

  constants({ attrs, epilogue, weightStorage }) {
    const merged = mergedGroups(attrs);
    const form = { channels: attrs.weight.shape[0]!, groups: attrs.groups / merged, panel: 8 } as const;
    return [
      panelConstant(attrs.weight, weightStorage, attrs.groups, merged),
      ...biasConstants(attrs.bias, form),
      ...normConstants(epilogue, form),
    ];
  },

  workspace({ inputs, output, attrs, engine, weightStorage }) {
    const { inGroup, taps } = weightSizes(attrs);
    return {
      tableBytes: tableBytes(pixelsOf(output), taps, engine.tileRows),
      scratchBytes: wideBytes(inGroup * mergedGroups(attrs), taps, weightStorage, engine),
      zeroBytes: channelsOf(inputs[0]!) * 4,
    };
  },

  bind(binding, attrs) {
    const { kernels, engine, weightStorage, output, constants, table, scratch, zeros } = binding;
    const x = binding.inputs[0]!;
    const { stride, padding, dilation, bias } = attrs;
    const { out, inGroup, kernelHeight, kernelWidth, taps } = weightSizes(attrs);
    const { images, height, width } = imageSizes(x.shape);
    const { height: outHeight, width: outWidth } = imageSizes(output.shape);
    const { tileRows } = engine;
    kernels.f32_conv2d_table(
      ...([images, height, width, outHeight, outWidth, kernelHeight, kernelWidth, ...stride] as const),
      ...([padding.top, padding.left, ...dilation, tileRows, 0, x.address, x.pixelBytes, zeros, table] as const),
    );
    const merged = mergedGroups(attrs);
    const groups = attrs.groups / merged;
    const gemm = {
      rows: pixelsOf(output.shape),
      groups,
      channelsIn: inGroup * merged,
      channelsOut: out / groups,
      taps,
      blockTiles: blockTiles(x.pixelBytes, tileRows),
      table,
      weights: constants[0]!,
      panelBytes: panelBytes(inGroup * merged, taps, weightStorage),
      wide: weightStorage === 'f16' ? scratch : undefined,
      out: output.address,
      outBytes: output.pixelBytes,
      bias: bias ? constants[1]! : 0,
      epilogue: epilogueArguments(binding),
    };
    return [gemmPhase(gemm, engine)];
  },
};
