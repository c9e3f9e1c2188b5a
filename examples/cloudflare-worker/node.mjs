/** The service on Node: `node node.mjs [MODEL WEIGHTS]`, on 127.0.0.1 and the port in PORT, 8787 unless given. */

import { createServer } from 'node:http';
import { getRequestListener, RequestError } from '@hono/node-server';
import { answerOf, HttpError } from './failures.mjs';
import { localService } from './local.mjs';

/** A connection on which nothing moves for so long is cut: answers that nobody takes stay in memory. */
const IDLE_MS = 30_000;

const [model, weights] = process.argv.slice(2);
const service = await localService({ model, weights });

/** What can't be a request never gets to the service. */
const errorHandler = (error) =>
  answerOf(error instanceof RequestError ? new HttpError(400, 'ERR_REQUEST', NO_REQUEST) : error);
const NO_REQUEST = 'expected a host and a path that make a URL, got others';

const server = createServer(getRequestListener((request) => service(request), { errorHandler }));
server.setTimeout(IDLE_MS);
server.listen(Number(process.env.PORT ?? 8787), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}`);
});
