/**
 * Weights that lie outside of the Worker, by one of these bindings:
 *
 * - WEIGHTS: static assets or a service that answer to /weights.safetensors
 * - WEIGHTS_BUCKET: an R2 bucket with the key weights.safetensors
 * - WEIGHTS_URL: a text
 */

import { openSafetensors } from 'layertap';

const KEY = 'weights.safetensors';

/**
 * Opens what is bound.
 *
 * @param {any} env
 * @returns {Promise<import('layertap').OpenedSafetensors>}
 */
export async function openWeights({ WEIGHTS: service, WEIGHTS_BUCKET: bucket, WEIGHTS_URL: url }) {
  if (service) {
    return openSafetensors(`https://weights/${KEY}`, { fetch: (request, init) => service.fetch(request, init) });
  }
  if (bucket) return openObject(bucket);
  if (url) return openSafetensors(url);
  throw new Error('expected a binding WEIGHTS, WEIGHTS_BUCKET or WEIGHTS_URL, got none');
}

/** Parts of one and the same object: another one under its key is refused. */
async function openObject(bucket) {
  const object = await bucket.head(KEY);
  if (!object) throw new Error(`expected ${KEY} in the bucket, got none`);
  return openSafetensors({
    byteLength: object.size,
    async read(begin, end) {
      const part = await bucket.get(KEY, {
        range: { offset: begin, length: end - begin },
        onlyIf: { etagMatches: object.etag },
      });
      if (!part?.body) throw new Error('expected the weights that were opened, got others');
      return new Uint8Array(await part.arrayBuffer());
    },
  });
}
