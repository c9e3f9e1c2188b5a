/**
 * One GEMM for each filter tap, each adding to what the ones before it left, without the tiles whose pixels all lie in the
 * padding. Worth it where dilation is so large that many do (ASPP), and where all taps together are too large for a cache.
 */

import { affinePhase } from '../affine.ts';
import { NO_EPILOGUE_ARGUMENTS } from '../epilogue.ts';
import { convolutionPhase, gemmScratchBytes, panelBytes, tableBytes } from '../gemm.ts';
import { type Algorithm, channelsOf, pixelsOf } from '../op.ts';
import { NO_SIDES, ONE_PIXEL } from '../window.ts';
import { type Conv2dAttrs, type Conv2dSite, imageSizes, weightSizes } from './attrs.ts';
import { indirect } from './indirect.ts';

/** For each tap, output rows and columns that it reaches. */
function reach({ inputs, output, attrs }: Pick<Conv2dSite, 'inputs' | 'output' | 'attrs'>) {
  const { kernelHeight, kernelWidth } = weightSizes(attrs);
  const { height, width } = imageSizes(inputs[0]!);
  const out = imageSizes(output);
  const { stride, padding, dilation } = attrs;
  const count = (k: number, size: number, outSize: number, before: number, axis: 0 | 1): number => {
    let reached = 0;
    for (let o = 0; o < outSize; o++) {
      const i = o * stride[axis] - before + k * dilation[axis];
      if (i >= 0 && i < size) reached++;
    }
    return reached;
  };
  const rows = Array.from({ length: kernelHeight }, (_, k) => count(k, height, out.height, padding.top, 0));
  const columns = Array.from({ length: kernelWidth }, (_, k) => count(k, width, out.width, padding.left, 1));
  return rows.flatMap((high) => columns.map((wide) => ({ high, wide })));
}

/** The tap that reaches all pixels, or -1: it runs first, since it starts their sums. */
function fullTap(site: Pick<Conv2dSite, 'inputs' | 'output' | 'attrs'>): number {
  const out = imageSizes(site.output);
  return reach(site).findIndex(({ high, wide }) => high === out.height && wide === out.width);
}

/** An algorithm for kernels with padding, where one tap reaches every output pixel. */
export const splitTaps: Algorithm<Conv2dAttrs> = {
  name: 'split-taps',

  fits(site) {
    const { groups } = site.attrs;
    return groups === 1 && channelsOf(site.inputs[0]!) >= 64 && weightSizes(site.attrs).taps > 1 && fullTap(site) >= 0;
  },

  work(site) {
    const { out, inGroup } = weightSizes(site.attrs);
    const { images, width } = imageSizes(site.output);
    // A tile is computed where any of its pixels is reached.
    const pixels = reach(site).reduce((sum, { high, wide }) => {
      return sum + (wide === 0 ? 0 : high * Math.min(width, wide + site.engine.tileRows));
    }, 0);
    // Each tap loads and stores the sums that it reaches, and starts their tiles anew.
    return { macs: images * pixels * out * inGroup, transformed: 3 * images * pixels * out };
  },

  constants: (site) => indirect.constants!(site),

  workspace(site) {
    const { attrs, engine, weightStorage } = site;
    return {
      ...indirect.workspace!(site),
      scratchBytes: gemmScratchBytes({ channelsIn: weightSizes(attrs).inGroup, taps: 1, weightStorage }, engine),
    };
  },

  bind(binding, attrs) {
    const { engine, weightStorage, output, constants, table } = binding;
    const x = binding.inputs[0]!;
    const { stride, padding, dilation } = attrs;
    const { inGroup, kernelWidth, taps } = weightSizes(attrs);
    const rows = pixelsOf(output.shape);
    const full = fullTap({ inputs: [x.shape], output: output.shape, attrs });
    const others = Array.from({ length: taps }, (_, tap) => tap).filter((tap) => tap !== full);
    const phases = [full, ...others].map((tap, i) => {
      const [ky, kx] = [Math.floor(tap / kernelWidth), tap % kernelWidth];
      const [top, left] = [padding.top - ky * dilation[0], padding.left - kx * dilation[1]];
      const window = { ...ONE_PIXEL, stride, padding: { ...NO_SIDES, top, left } };
      return convolutionPhase(binding, x, window, {
        table: table + i * tableBytes(rows, 1, engine.tileRows),
        weights: constants[0]! + tap * panelBytes(inGroup, 1, weightStorage),
        panelBytes: panelBytes(inGroup, taps, weightStorage),
        epilogue: NO_EPILOGUE_ARGUMENTS,
        // Of the tiles, some parts of the image have fewer to compute than others.
        cut: 'panels',
        ...(i > 0 && { sums: true, bias: 0 }),
      });
    });
    return [...phases, affinePhase({ ...binding, inputs: [output] }, binding.epilogue)];
  },
};
