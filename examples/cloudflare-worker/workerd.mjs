/**
 * The service on Cloudflare Workers and workerd, with weights that lie outside of the Worker: bindings.mjs says where.
 * See cloudflare.mjs for the other bindings.
 */

import { openWeights } from './bindings.mjs';
import { worker } from './cloudflare.mjs';

export default worker(async (env, use) => {
  const file = await openWeights(env);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
});
