/**
 * One GEMM for each filter tap. Each adds to the sums that the GEMMs before it left in the output, and leaves out the
 * tiles whose pixels the tap finds in the padding. That is worth it where dilation is so large that many tiles are left
 * out (ASPP).
 */

import type { Shape } from '../../tensor/shape.ts';
import { affinePhase } from '../lowering/affine.ts';
import type { Algorithm } from '../lowering/algorithm.ts';
import { writeEpilogue } from '../lowering/epilogue.ts';
import { convolutionPhase, gemmConstants, gemmScratchBytes, listOf, panelBytes, tableBytes } from '../lowering/gemm.ts';
import { channelsOf, imageSizes, pixelsOf } from '../lowering/slot.ts';
import { NO_SIDES, ONE_PIXEL } from '../rules/window.ts';
import { type Conv2dAttrs, weightSizes } from './attrs.ts';

/** How many rows and columns of the output have pixels for which a tap lies inside of the image. */
interface Reach {
  readonly rows: number;
  readonly columns: number;
}

/** What each tap reaches, in the taps' order. */
function reachOf(x: Shape, output: Shape, attrs: Conv2dAttrs): readonly Reach[] {
  const { kernelHeight, kernelWidth } = weightSizes(attrs);
  const image = imageSizes(x);
  const out = imageSizes(output);
  const { padding, dilation } = attrs;
  const reached = (size: number, outSize: number, tapStart: number, stride: number): number => {
    let count = 0;
    for (let o = 0; o < outSize; o++) {
      const i = o * stride + tapStart;
      if (i >= 0 && i < size) count++;
    }
    return count;
  };
  const rows = Array.from({ length: kernelHeight }, (_, k) =>
    reached(image.height, out.height, k * dilation[0] - padding.top, attrs.stride[0]),
  );
  const columns = Array.from({ length: kernelWidth }, (_, k) =>
    reached(image.width, out.width, k * dilation[1] - padding.left, attrs.stride[1]),
  );
  return rows.flatMap((high) => columns.map((wide) => ({ rows: high, columns: wide })));
}

/**
 * Input channels from which on taps are split. With 54, a tap's products take as long as the way of its sums from
 * memory and back, by the cost model's numbers.
 */
const LEAST_CHANNELS = 64;

/** The algorithm for kernels of which one tap, mostly the middle one, reaches the image for every output pixel. */
export const splitTaps: Algorithm<Conv2dAttrs> = {
  name: 'split-taps',

  prepare(site) {
    const { inputs, output, attrs, engine, weightStorage } = site;
    const { out, inGroup, kernelWidth, taps } = weightSizes(attrs);
    if (attrs.groups > 1 || taps === 1 || channelsOf(inputs[0]!) < LEAST_CHANNELS) return null;
    const { images, height, width } = imageSizes(output);
    const reach = reachOf(inputs[0]!, output, attrs);
    // The tap that reaches all pixels runs first, since it starts their sums: the others only add to what is there.
    const full = reach.findIndex(({ rows, columns }) => rows === height && columns === width);
    if (full < 0) return null;
    const others = [...reach.keys()].filter((tap) => tap !== full);
    // A tile is computed where any of its pixels is reached: in each row, up to a tile more than that.
    const pixels = reach.reduce(
      (sum, { rows, columns }) => sum + (columns === 0 ? 0 : rows * Math.min(width, columns + engine.tileRows)),
      0,
    );
    const constants = gemmConstants(site);
    const tapTableBytes = tableBytes(pixelsOf(output), 1, engine.tileRows);
    return {
      // A tap loads a sum, stores it, and starts its tile anew: it is weighed as three floats on their way.
      work: { macs: images * pixels * out * inGroup, transformed: 3 * images * pixels * out },
      constants: listOf(constants),
      workspace: {
        tableBytes: taps * tapTableBytes,
        scratchBytes: gemmScratchBytes({ channelsIn: inGroup, taps: 1, weightStorage }, engine),
        zeroBytes: channelsOf(inputs[0]!) * 4,
      },
      phases(binding) {
        const { stride, padding, dilation } = attrs;
        const phases = [full, ...others].map((tap, i) => {
          const [ky, kx] = [Math.floor(tap / kernelWidth), tap % kernelWidth];
          const [top, left] = [padding.top - ky * dilation[0], padding.left - kx * dilation[1]];
          const window = { ...ONE_PIXEL, stride, padding: { ...NO_SIDES, top, left } };
          return convolutionPhase(
            binding,
            { x: binding.inputs[0]!, window, engine, weightStorage, constants, record: 0 },
            {
              table: binding.table + i * tapTableBytes,
              weights: binding.addressOf(constants.weights) + tap * panelBytes(inGroup, 1, weightStorage),
              panelBytes: panelBytes(inGroup, taps, weightStorage),
              // Some parts of the image have fewer tiles to compute than others, so threads share panels.
              cut: 'panels',
              ...(i > 0 && { adds: true, bias: 0 }),
            },
          );
        });
        const record = writeEpilogue(binding, site.epilogue, constants.norm, binding.residual);
        return [...phases, affinePhase(binding.output, binding.output, record, engine)];
      },
    };
  },
};
