/** What pooling kernels with a sliding window take: sizes, window and places, cut for threads. */

import type { KernelStep, Phase } from '../../wasm/step.ts';
import { type Window, windowArguments } from '../rules/window.ts';
import type { Binding, Engine } from './algorithm.ts';
import { type Band, bands } from './cut.ts';
import { imageSizes, type Slot } from './slot.ts';

/**
 * The steps of a pooling: images, or rows of each, for each thread.
 *
 * @param stepOf the kernel's step of the arguments that all such kernels have
 */
export function poolingPhase(
  { inputs, output }: Pick<Binding, 'inputs' | 'output'>,
  window: Window,
  { threads }: Engine,
  stepOf: (args: ReturnType<typeof argumentsOf>) => KernelStep,
): Phase {
  return bands(output.shape[0]!, output.shape[2]!, threads).map((band) =>
    stepOf(argumentsOf(inputs[0]!, output, window, band)),
  );
}

/** A band's arguments. */
function argumentsOf(x: Slot, output: Slot, window: Window, band: Band) {
  const { channels, height, width } = imageSizes(x.shape);
  const out = imageSizes(output.shape);
  const pixel = (band.image * out.height + band.row) * out.width;
  return {
    images: band.images,
    channels,
    height,
    width,
    outHeight: band.rows,
    outWidth: out.width,
    ...windowArguments(window),
    top: window.padding.top - band.row * window.stride[0],
    x: x.address + band.image * height * width * x.pixelBytes,
    pixelBytes: x.pixelBytes,
    out: output.address + pixel * output.pixelBytes,
    outBytes: output.pixelBytes,
  };
}
