/** The service on Bun: `bun bun.mjs [MODEL WEIGHTS]`. */

import { localService } from './local.mjs';

const [model, weights] = Bun.argv.slice(2);
const service = await localService({ model, weights });
const server = Bun.serve({
  hostname: '127.0.0.1',
  port: Number(process.env.PORT ?? 8787),
  fetch: (request) => service(request),
});
console.log(`listening on ${server.url.href.replace(/\/$/, '')}`);
