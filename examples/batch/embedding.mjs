/** What is computed of an image: the digits network's last feature, one mean for each channel. */

import { open } from 'node:fs/promises';
import { openSafetensors, semanticSegmentation } from 'layertap';
import { digitsNetwork } from './digits/network.mjs';
import { decodeImage } from './image.mjs';

/** @returns {Promise<(bytes: Uint8Array) => Promise<Float32Array>>} a function from an image file's bytes to 64 numbers */
export async function createEmbedding() {
  const { backbone } = digitsNetwork();
  const handle = await open(new URL('digits/weights.safetensors', import.meta.url));
  try {
    const weights = await openSafetensors(handle);
    const prefix = 'backbone.';
    const names = [...weights.tensors.keys()].filter((name) => name.startsWith(prefix));
    const tensors = await weights.load(names);
    backbone.loadStateDict([...tensors].map(([name, tensor]) => [name.slice(prefix.length), tensor]));
  } finally {
    await handle.close();
  }

  return async (bytes) => {
    const image = await decodeImage(bytes);
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
