/**
 * The service on Cloudflare Workers and workerd. Bindings:
 *
 * - MODEL: a name of models.mjs; `digits` unless given
 * - one of WEIGHTS, static assets or a service that answer to /weights.safetensors; WEIGHTS_BUCKET, an R2 bucket with
 *   the key weights.safetensors; WEIGHTS_URL, a text
 * - VECTORS: an index of Vectorize, for vectorize.mjs; VECTORS_TOKEN, a secret of those who may store;
 *   VECTORS_NAMESPACE, another one for each model and its weights, the model's name unless given
 * - CORS_ORIGIN: whose pages may read the answers, an origin or `*`; nobody's unless given
 */

import jpegModule from '@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm';
import { openSafetensors } from 'layertap';
import { jpegDecoder } from './jpeg.mjs';
import { createService } from './service.mjs';
import { withVectorize } from './vectorize.mjs';

const KEY = 'weights.safetensors';

/** One for each isolate. */
let service = null;

export default {
  fetch(request, env, context) {
    service ??= create(env);
    const answer = service(request, context);
    // A client that goes away while its request waits must not keep the place.
    context.waitUntil(answer.catch(() => {}));
    return answer;
  },
};

function create(env) {
  const model = env.MODEL ?? 'digits';
  const plain = createService({
    model,
    withWeights: (use) => withWeights(env, use),
    decodeJpeg: jpegDecoder(jpegModule),
    corsOrigin: env.CORS_ORIGIN,
  });
  if (!env.VECTORS) return plain;
  const namespace = env.VECTORS_NAMESPACE ?? model;
  return withVectorize(plain, { index: env.VECTORS, namespace, token: env.VECTORS_TOKEN });
}

async function withWeights(env, use) {
  const file = await openWeights(env);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

function openWeights({ WEIGHTS: service, WEIGHTS_BUCKET: bucket, WEIGHTS_URL: url }) {
  if (service) {
    return openSafetensors(`https://weights/${KEY}`, { fetch: (request, init) => service.fetch(request, init) });
  }
  return bucket ? openObject(bucket) : openSafetensors(url);
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
