/** The service on Deno: `deno run --allow-read --allow-net --allow-env deno.mjs [MODEL WEIGHTS]`. */

import { localService } from './local.mjs';

const [model, weights] = Deno.args;
const service = await localService({ model, weights });
Deno.serve({ hostname: '127.0.0.1', port: Number(Deno.env.get('PORT') ?? 8787) }, (request) => service(request));
