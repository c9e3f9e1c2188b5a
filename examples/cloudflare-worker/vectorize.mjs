/**
 * Nearest neighbours by an index of Cloudflare's Vectorize, in front of the service:
 *
 * - PUT /vectors/ID with an image stores its embedding under the id: `{ id, mutationId }`. Only who knows the token
 *   may.
 * - POST /similar with an image: `{ matches: [{ id, score }] }`, the nearest first.
 *
 * Every other path is the service's.
 */

import { answerOf, HttpError } from './failures.mjs';

/** How many matches there are at most. */
const TOP = 10;

/** Vectorize takes ids of at most so many bytes. */
const MAX_ID_BYTES = 64;

const VECTORS = '/vectors/';

/**
 * @param {(request: Request, context?: any) => Promise<Response>} service
 * @param {object} options
 * @param {any} options.index the binding, of an index with the metric cosine
 * @param {string} options.namespace tells vectors of one model and its weights from others; at most 64 bytes
 * @param {string | undefined} options.token whose bearer may store; nobody unless given
 * @returns {(request: Request, context?: any) => Promise<Response>}
 */
export function withVectorize(service, { index, namespace, token }) {
  async function answer(request, context) {
    const { pathname } = new URL(request.url);
    if (pathname === '/similar') {
      expectMethod(request, 'POST');
      const embedding = await embed(request, context);
      const { matches } = await index.query(embedding, { topK: TOP, namespace });
      return Response.json({ matches: matches.map(({ id, score }) => ({ id, score })) });
    }
    expectMethod(request, 'PUT');
    await expectToken(request, token);
    const id = idOf(pathname);
    const values = await embed(request, context);
    const { mutationId } = await index.upsert([{ id, namespace, values }]);
    // Vectorize answers before the vector can be found.
    return Response.json({ id, mutationId }, { status: 202 });
  }

  /** An image's embedding, with the service's bounds. @throws {Response} the service's, where it refuses */
  async function embed(request, context) {
    const headers = new Headers({ 'content-type': request.headers.get('content-type') ?? '' });
    const length = request.headers.get('content-length');
    if (length !== null) headers.set('content-length', length);
    const url = new URL('/embedding', request.url);
    const init = { method: 'POST', headers, body: request.body, signal: request.signal, duplex: 'half' };
    const response = await service(new Request(url, init), context);
    if (!response.ok) throw response;
    return (await response.json()).embedding;
  }

  return async (request, context) => {
    const { pathname } = new URL(request.url);
    if (pathname !== '/similar' && !pathname.startsWith(VECTORS)) return service(request, context);
    try {
      return await answer(request, context);
    } catch (error) {
      return error instanceof Response ? error : answerOf(error);
    }
  };
}

function expectMethod({ method }, expected) {
  if (method === expected) return;
  throw new HttpError(405, 'ERR_METHOD', `expected ${expected}, got ${method}`, { allow: expected });
}

function idOf(pathname) {
  const expected = `expected an id of 1 to ${MAX_ID_BYTES} bytes`;
  let id;
  try {
    id = decodeURIComponent(pathname.slice(VECTORS.length));
  } catch {
    throw new HttpError(400, 'ERR_ID', `${expected}, got one that is no UTF-8`);
  }
  const { length } = new TextEncoder().encode(id);
  if (length < 1 || length > MAX_ID_BYTES) throw new HttpError(400, 'ERR_ID', `${expected}, got ${length}`);
  return id;
}

async function expectToken({ headers }, token) {
  const given = headers.get('authorization') ?? '';
  if (token && (await digest(given)) === (await digest(`Bearer ${token}`))) return;
  throw new HttpError(401, 'ERR_TOKEN', 'expected the token of those who may store', { 'www-authenticate': 'Bearer' });
}

/** Hashes are compared, so that the time of comparing tells nothing about the token. @param {string} text */
async function digest(text) {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))).join();
}
