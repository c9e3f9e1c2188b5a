/** What is computed of an image: the digits network's last feature, one mean for each channel. */

import { open } from 'node:fs/promises';
import { IntermediateLayerGetter, openSafetensors, semanticSegmentation } from 'layertap';
import { digitsNetwork } from './digits/network.mjs';
import { decodeImage } from './image.mjs';

/**
 * @returns {Promise<(bytes: Uint8Array) => Promise<Float32Array>>} a function from an image file's bytes to 64 numbers
 */
export async function createEmbedding() {
  // The backbone alone is kept of the network, and read from the file of the whole network's weights.
  const getter = new IntermediateLayerGetter(digitsNetwork(), { 'backbone.layer4': 'out' });
  const handle = await open(new URL('digits/weights.safetensors', import.meta.url));
  try {
    await getter.loadStateDictAsync(await openSafetensors(handle));
  } finally {
    await handle.close();
  }

  return async (bytes) => {
    const image = await decodeImage(bytes);
    const features = getter.forward(semanticSegmentation(image, { resizeSize: null }));
    return channelMeans(/** @type {import('layertap').Tensor<Float32Array>} */ (features.get('out')));
  };
}

/** Of `[1, C, H, W]`, C numbers. @param {import('layertap').Tensor<Float32Array>} feature */
function channelMeans({ data, shape: [, channels, height, width] }) {
  const plane = height * width;
  return Float32Array.from({ length: channels }, (_, c) => {
    let sum = 0;
    for (let i = c * plane; i < (c + 1) * plane; i++) sum += data[i];
    return sum / plane;
  });
}
