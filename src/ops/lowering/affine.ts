/** The steps that batch norm, addition and activations share where no other op's epilogue took them up. */

import type { Phase } from '../../wasm/step.ts';
import { f32_affine } from '../../wasm/steps.gen.ts';
import type { Engine } from './algorithm.ts';
import { ranges } from './cut.ts';
import { channelsOf, pixelsOf, type Slot } from './slot.ts';

/**
 * Applies an epilogue to each pixel of `x`.
 *
 * @param record the address of the epilogue's record
 */
export function affinePhase(x: Slot, output: Slot, record: number, { threads }: Engine): Phase {
  return ranges(pixelsOf(output.shape), threads).map(({ first, count }) =>
    f32_affine({
      firstPixel: first,
      pixels: count,
      channels: channelsOf(output.shape),
      x: x.address,
      pixelBytes: x.pixelBytes,
      out: output.address,
      outBytes: output.pixelBytes,
      epilogue: record,
    }),
  );
}
