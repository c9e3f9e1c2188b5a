/** The service on Node: `node node.mjs [MODEL WEIGHTS]`, on 127.0.0.1 and the port in PORT, 8787 unless given. */

import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { answerOf, HttpError } from './failures.mjs';
import { localService } from './local.mjs';

/** A connection on which nothing moves for so long is cut: answers that nobody takes stay in memory. */
const IDLE_MS = 30_000;

/** So long a client may go on sending what nobody reads, so that it gets to the answer. */
const LINGER_MS = 2000;

const [model, weights] = process.argv.slice(2);
const service = await localService({ model, weights });

const server = createServer((incoming, outgoing) => {
  // Whatever goes wrong with one request, the others go on.
  answer(incoming, outgoing).catch((error) => {
    if (!outgoing.destroyed) console.error(error);
    outgoing.destroy();
  });
});
server.setTimeout(IDLE_MS);
server.listen(Number(process.env.PORT ?? 8787), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}`);
});

async function answer(incoming, outgoing) {
  const gone = new AbortController();
  outgoing.once('close', () => gone.abort());
  const request = requestOf(incoming, gone.signal);
  const response = request ? await service(request) : answerOf(new HttpError(400, 'ERR_REQUEST', NO_REQUEST));
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  await pipeline(response.body ? Readable.fromWeb(/** @type {any} */ (response.body)) : [], outgoing);
  if (incoming.complete) return;
  // What is refused unread: closing at once would take the answer away from a client that is still sending.
  incoming.removeAllListeners('data').resume();
  setTimeout(() => incoming.destroy(), LINGER_MS).unref();
}

const NO_REQUEST = 'expected a method and a path that fetch knows, got others';

/**
 * The request as fetch has it, or null where it can't be one. Its host is a fixed one: what a client calls this server
 * is no matter.
 */
function requestOf(incoming, signal) {
  const { method, headers, url } = incoming;
  const body = method === 'GET' || method === 'HEAD' ? null : bodyOf(incoming);
  try {
    const init = /** @type {RequestInit} */ ({ method, headers, body, duplex: 'half', signal });
    return new Request(new URL(url, 'http://localhost'), init);
  } catch {
    return null;
  }
}

/** The body, read as fast as it is taken. Giving it up leaves the connection, which the answer needs. */
function bodyOf(incoming) {
  let giveUp = () => {};
  return new ReadableStream({
    start(controller) {
      let isOver = false;
      const end = (finish) => () => {
        if (!isOver) finish();
        isOver = true;
      };
      incoming.on('data', (part) => {
        if (isOver) return;
        controller.enqueue(new Uint8Array(part));
        if (Number(controller.desiredSize) <= 0) incoming.pause();
      });
      incoming.once(
        'end',
        end(() => controller.close()),
      );
      incoming.once(
        'close',
        end(() => controller.error(new Error('the client has gone away'))),
      );
      incoming.pause();
      giveUp = end(() => {});
    },
    pull: () => void incoming.resume(),
    cancel() {
      giveUp();
      incoming.pause();
    },
  });
}
