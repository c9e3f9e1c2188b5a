/** Pictures as the networks take them: decoded by the browser, as PyTorch's users decode them. */

import type { Image } from 'layertap';
import { imageFrom } from 'layertap/tools';
import type { Picture } from '../protocol.ts';
import { Said } from './problems.ts';

/** Pixels beyond which a photo is made smaller while it is decoded. */
const MOST_PIXELS = 48e6;

/** The image of a file or of pixels. Colour profiles are left out; the orientation is the one that cameras ask for. */
export async function decode(source: Blob | ImageBitmap, name: string): Promise<Image> {
  const bitmap = source instanceof Blob ? await bitmapOf(source, name) : source;
  try {
    return imageFrom(bitmap);
  } finally {
    bitmap.close();
  }
}

async function bitmapOf(file: Blob, name: string): Promise<ImageBitmap> {
  const options = { colorSpaceConversion: 'none', imageOrientation: 'from-image' } as const;
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file, options);
  } catch {
    const what = file.size === 0 ? 'The file is empty.' : 'Photos as JPEG, PNG, WebP, AVIF or GIF work everywhere.';
    throw new Said(`“${name}” isn’t a picture that this browser can read.`, what, 'picture');
  }
  const { width, height } = bitmap;
  if (width * height <= MOST_PIXELS) return bitmap;
  bitmap.close();
  const scale = Math.sqrt(MOST_PIXELS / (width * height));
  return createImageBitmap(file, { ...options, resizeWidth: Math.floor(width * scale), resizeQuality: 'high' });
}

/** The picture in a small size, its longer side `side` pixels. */
export function thumbnailOf({ data, width, height }: Image, side: number): Picture {
  const scale = Math.min(1, side / Math.max(width, height));
  const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  const out = new Uint8ClampedArray(w * h * 4).fill(255);
  const rowOf = (y: number) => Math.min(height - 1, Math.floor(((y + 0.5) * height) / h)) * width;
  for (let y = 0, to = 0; y < h; y++) {
    const row = rowOf(y);
    for (let x = 0; x < w; x++, to += 4) {
      const from = (row + Math.min(width - 1, Math.floor(((x + 0.5) * width) / w))) * 3;
      out.set(data.subarray(from, from + 3), to);
    }
  }
  return { data: out, width: w, height: h };
}
