/** What is computed of an image: the digits network's last feature, one mean for each channel. */

import { open } from 'node:fs/promises';
import { imageFromRgb, openSafetensors, semanticSegmentation } from 'layertap';
import sharp from 'sharp';
import { digitsNetwork } from '../digits/network.mjs';

/** The most pixels of an image, of any size in the file: a stranger's may claim gigabytes. */
const MAX_PIXELS = 4096 * 4096;

/** Images are scaled down to fit into this square. */
const SIDE = 512;

/** @returns {Promise<(file: string) => Promise<Float32Array>>} a function from an image file to 64 numbers */
export async function createEmbedding() {
  const { backbone } = digitsNetwork();
  const handle = await open(new URL('../digits/weights.safetensors', import.meta.url));
  try {
    const weights = await openSafetensors(handle);
    const prefix = 'backbone.';
    const names = [...weights.tensors.keys()].filter((name) => name.startsWith(prefix));
    const tensors = await weights.load(names);
    backbone.loadStateDict([...tensors].map(([name, tensor]) => [name.slice(prefix.length), tensor]));
  } finally {
    await handle.close();
  }

  return async (file) => {
    const { data, info } = await sharp(file, { limitInputPixels: MAX_PIXELS })
      .resize(SIDE, SIDE, { fit: 'inside', withoutEnlargement: true })
      .toColourspace('srgb')
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    const image = imageFromRgb(data, info.width, info.height);
    const feature = backbone.forward(semanticSegmentation(image, { resizeSize: null }), { only: ['out'] }).get('out');
    return channelMeans(feature);
  };
}

/** Of `[1, C, H, W]`, C numbers. */
function channelMeans({ data, shape: [, channels, height, width] }) {
  const plane = height * width;
  return Float32Array.from({ length: channels }, (_, c) => {
    let sum = 0;
    for (let i = c * plane; i < (c + 1) * plane; i++) sum += data[i];
    return sum / plane;
  });
}
