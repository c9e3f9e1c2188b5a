/** Values as planes: in PyTorch's order, without padding, as they come in, go out, and as host steps read them. */

import type { Phase, Step } from '../../wasm/step.ts';
import { f32_copy, f32_nchw_to_nhwc, f32_nhwc_to_nchw } from '../../wasm/steps.gen.ts';
import { channelsOf, imagePixels, type Slot } from './slot.ts';

/** Moves planes into a slot: a step for each image, or one for all where an image is one pixel. */
export function fromPlanes(planes: number, slot: Slot): Phase {
  const { address, pixelBytes } = slot;
  return perImage(
    slot,
    ({ images, channels, rowBytes }) =>
      f32_copy({ pixels: images, channels, x: planes, pixelBytes: rowBytes, out: address, outBytes: pixelBytes }),
    ({ channels, pixels, image }) =>
      f32_nchw_to_nhwc({
        channels,
        pixels,
        x: planes + image * channels * pixels * 4,
        out: address + image * pixels * pixelBytes,
        pixelBytes,
      }),
  );
}

/**
 * Moves a slot's value into planes: the steps of {@link fromPlanes} the other way.
 *
 * @param imageBytes from an image's planes to the next one's; densely unless given
 */
export function toPlanes(slot: Slot, planes: number, imageBytes = 0): Phase {
  const { address, pixelBytes } = slot;
  return perImage(
    slot,
    ({ images, channels, rowBytes }) =>
      f32_copy({ pixels: images, channels, x: address, pixelBytes, out: planes, outBytes: imageBytes || rowBytes }),
    ({ channels, pixels, image }) =>
      f32_nhwc_to_nchw({
        channels,
        pixels,
        x: address + image * pixels * pixelBytes,
        pixelBytes,
        out: planes + image * (imageBytes || channels * pixels * 4),
      }),
  );
}

/** Sizes of an image's planes. */
interface Planes {
  readonly images: number;
  readonly channels: number;
  readonly pixels: number;
  readonly rowBytes: number;
  readonly image: number;
}

function perImage({ shape }: Slot, ofRows: (all: Planes) => Step, ofImage: (one: Planes) => Step): Phase {
  const channels = channelsOf(shape);
  const images = shape[0]!;
  const pixels = imagePixels(shape);
  const all = { images, channels, pixels, rowBytes: channels * 4, image: 0 };
  return pixels === 1 ? [ofRows(all)] : Array.from({ length: images }, (_, image) => ofImage({ ...all, image }));
}
