/**
 * The service on Cloudflare Workers and workerd, with weights inside the Worker: a data module, which is an
 * ArrayBuffer. Nothing has to be bound or fetched. See cloudflare.mjs for the bindings.
 */

import { openSafetensors } from 'layertap';
import { worker } from './cloudflare.mjs';
import weights from './weights.safetensors';

export default worker(
  async (_env, use) => {
    const network = await use(await openSafetensors(weights));
    // The network has packed the values. An isolate has no room for them twice, and a picture.
    weights.transfer(0);
    return network;
  },
  { loadsOnce: true },
);
