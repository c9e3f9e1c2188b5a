/**
 * The service as a Worker, wherever its weights come from (workerd.mjs, workerd-inside.mjs). Bindings:
 *
 * - MODEL: a name of models.mjs; `digits` unless given
 * - VECTORS: an index of Vectorize, for vectorize.mjs; VECTORS_TOKEN, a secret of those who may store;
 *   VECTORS_NAMESPACE, another one for each model and its weights, the model's name unless given
 * - CORS_ORIGIN: whose pages may read the answers, an origin or `*`; nobody's unless given
 */

import jpegModule from '@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm';
import { jpegDecoder } from './jpeg.mjs';
import { createService } from './service.mjs';
import { withVectorize } from './vectorize.mjs';

/**
 * A Worker's default export.
 *
 * @param {<T>(env: any, use: (file: import('layertap').OpenedSafetensors) => Promise<T>) => Promise<T>} withWeights
 *   opens and closes the weights around their use
 * @param {{ loadsOnce?: boolean }} [options] see service.mjs
 */
export function worker(withWeights, options) {
  /** One for each isolate. */
  let service = null;
  return {
    /** @param {Request} request @param {any} env @param {any} context */
    fetch(request, env, context) {
      service ??= create(env, withWeights, options);
      const answer = service(request, context);
      // A client that goes away while its request waits must not keep the place.
      context.waitUntil(answer.catch(() => {}));
      return answer;
    },
  };
}

function create(env, withWeights, options) {
  const model = env.MODEL ?? 'digits';
  const plain = createService({
    model,
    withWeights: (use) => withWeights(env, use),
    decodeJpeg: jpegDecoder(jpegModule),
    corsOrigin: env.CORS_ORIGIN,
    ...options,
  });
  if (!env.VECTORS) return plain;
  const namespace = env.VECTORS_NAMESPACE ?? model;
  return withVectorize(plain, { index: env.VECTORS, namespace, token: env.VECTORS_TOKEN });
}
