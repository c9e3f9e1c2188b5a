/**
 * The service: an image comes by POST, features, an embedding or a mask go back. It knows `Request` and `Response`, and no
 * host: the host's module brings weights and a JPEG decoder (workerd.mjs, node.mjs, deno.mjs, bun.mjs).
 */

import { LayertapError, MemoryError, saveSafetensors } from 'layertap';
import { answerOf, HttpError } from './failures.mjs';
import { imageHeader } from './image-header.mjs';
import { MODELS } from './models.mjs';
import { decodePng, encodeMask } from './png.mjs';
import { Queue } from './queue.mjs';

const SAFETENSORS = 'application/octet-stream';
const IMAGE_TYPES = ['image/jpeg', 'image/png'];

/** What each path answers with: the first type unless Accept says otherwise. */
const PATHS = {
  '/features': [SAFETENSORS, 'application/json'],
  '/embedding': ['application/json'],
  '/mask': ['image/png', SAFETENSORS],
};

/**
 * @typedef {object} Host
 * @property {string} model a name of models.mjs
 * @property {<T>(use: (file: import('layertap').OpenedSafetensors) => Promise<T>) => Promise<T>} withWeights opens and closes
 *   the weights around their use
 * @property {(bytes: Uint8Array) => Promise<import('layertap').Image>} decodeJpeg
 * @property {Partial<typeof DEFAULT_LIMITS>} [limits]
 */

const DEFAULT_LIMITS = {
  maxBodyBytes: 4 * 2 ** 20,
  /** Requests whose bodies and images are in memory. */
  maxRunning: 4,
  /** Requests that wait with their bodies unread; those beyond get 429. */
  maxWaiting: 28,
  bodyTimeoutMs: 10_000,
};

/**
 * A function that answers requests.
 *
 * @param {Host} host
 * @returns {(request: Request, context?: { waitUntil?(promise: Promise<unknown>): void }) => Promise<Response>}
 */
export function createService({ model: name, withWeights, decodeJpeg, limits }) {
  const model = MODELS[name];
  if (!model) throw new Error(`expected a model of ${Object.keys(MODELS).join(', ')}, got ${name}`);
  const { maxBodyBytes, maxRunning, maxWaiting, bodyTimeoutMs } = { ...DEFAULT_LIMITS, ...limits };
  const queue = new Queue(maxRunning, maxWaiting);
  /** The network, or its loading, which all requests share. @type {Promise<any> | null} */
  let loaded = null;

  function network(context) {
    loaded ??= load().catch((error) => {
      console.error(error);
      // The next request tries again.
      loaded = null;
      throw new HttpError(503, 'ERR_WEIGHTS', 'the weights could not be loaded', { 'retry-after': '1' });
    });
    // The request that began may go away; the others' network mustn't go with it.
    const settled = loaded.catch(() => {});
    context?.waitUntil?.(settled);
    return loaded;
  }

  async function load() {
    const built = model.build();
    // Files of whole models have keys that a getter's network doesn't; the network's own must all be there.
    const options = { strict: false, inputShapes: model.inputShapes };
    const { missingKeys } = await withWeights((file) => built.loadStateDictAsync(file, options));
    if (missingKeys.length > 0) throw new Error(`expected weights for ${missingKeys.join(', ')}, got none`);
    return built;
  }

  async function readImage(request) {
    const bytes = await readBody(request, maxBodyBytes, bodyTimeoutMs);
    const header = imageHeader(bytes);
    const declared = typeOf(request);
    if (header.type !== declared) {
      throw new HttpError(400, 'ERR_IMAGE', `expected ${declared} as Content-Type says, got ${header.type}`);
    }
    const { width, height } = header;
    if (width * height === 0 || width * height > model.maxPixels) {
      throw new HttpError(
        413,
        'ERR_IMAGE_SIZE',
        `expected an image of 1 to ${model.maxPixels} pixels, got ${width} x ${height}`,
      );
    }
    const image = await (header.type === 'image/png' ? decodePng(bytes, header) : decodeJpeg(bytes));
    // An orientation may have turned it.
    if (image.width * image.height !== width * height) {
      throw new HttpError(400, 'ERR_IMAGE', 'expected pixels as the header says, got another size');
    }
    return image;
  }

  async function infer(request, path, type, context) {
    const running = network(context);
    const image = await readImage(request).catch((error) => error);
    // A loading that fails is its own answer, whatever the image was.
    const ready = await running;
    if (image instanceof Error) throw image;
    try {
      const x = model.prepare(image);
      if (path === '/mask') return maskAnswer(argmax(model.scores(ready, x)), type);
      return featuresAnswer(model.features(ready, x), path, type);
    } catch (error) {
      if (error instanceof MemoryError || error instanceof RangeError || error instanceof WebAssembly.RuntimeError) {
        // A memory that couldn't grow: the next request begins with a new one.
        loaded = null;
        throw new HttpError(503, 'ERR_MEMORY', 'not enough memory for this image', { 'retry-after': '1' });
      }
      if (error instanceof LayertapError) throw new HttpError(422, error.code, error.message);
      throw error;
    }
  }

  async function respond(request, context) {
    const { pathname } = new URL(request.url);
    if (pathname === '/') {
      allowMethods(request, 'GET', 'HEAD');
      return Response.json({ model: name, paths: Object.keys(PATHS).filter(isServed), imageTypes: IMAGE_TYPES });
    }
    if (!Object.hasOwn(PATHS, pathname) || !isServed(pathname)) {
      throw new HttpError(404, 'ERR_PATH', `expected a path of ${Object.keys(PATHS).filter(isServed).join(', ')}`);
    }
    allowMethods(request, 'POST');
    const type = acceptedType(request, PATHS[pathname]);
    const declared = typeOf(request);
    if (!IMAGE_TYPES.includes(declared)) {
      throw new HttpError(
        415,
        'ERR_CONTENT_TYPE',
        `expected Content-Type ${IMAGE_TYPES.join(' or ')}, got ${declared || 'none'}`,
      );
    }
    const length = Number(request.headers.get('content-length'));
    if (length > maxBodyBytes) throw tooLarge(maxBodyBytes);
    return queue.run(() => infer(request, pathname, type, context));
  }

  const isServed = (path) => path !== '/mask' || model.scores !== null;

  return async (request, context) => {
    try {
      return await respond(request, context);
    } catch (error) {
      return answerOf(error);
    }
  };
}

function featuresAnswer(features, path, type) {
  if (path === '/embedding') {
    const [name, feature] = [...features].at(-1);
    return Response.json({ feature: name, embedding: channelMeans(feature) });
  }
  if (type === SAFETENSORS) {
    return new Response(inParts(saveSafetensors(features)), { headers: { 'content-type': type } });
  }
  const entries = [...features].map(([name, { shape, data }]) => ({ name, shape, data: [...data] }));
  return Response.json({ features: entries });
}

const PART_BYTES = 65536;

/** A body in parts, as the client takes them: workerd holds on to large bodies that come as a whole, and its memory grows by many of them. */
function inParts(bytes) {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      controller.enqueue(bytes.subarray(at, at + PART_BYTES));
      at += PART_BYTES;
      if (at >= bytes.length) controller.close();
    },
  });
}

function maskAnswer(mask, type) {
  const body = type === 'image/png' ? encodeMask(mask) : mask.data;
  return new Response(body, {
    headers: { 'content-type': type, 'x-width': String(mask.width), 'x-height': String(mask.height) },
  });
}

/** Global average pooling: one number for each channel of `[1, C, H, W]`. */
function channelMeans({ data, shape: [, channels, height, width] }) {
  const plane = height * width;
  return Array.from({ length: channels }, (_, c) => {
    let sum = 0;
    for (let i = c * plane; i < (c + 1) * plane; i++) sum += data[i];
    return Math.fround(sum / plane);
  });
}

/** The class with the highest score at each pixel. */
function argmax({ data: scores, shape: [, classes, height, width] }) {
  const plane = height * width;
  const data = new Uint8Array(plane);
  for (let i = 0; i < plane; i++) {
    let best = 0;
    for (let c = 1; c < classes; c++) if (scores[c * plane + i] > scores[best * plane + i]) best = c;
    data[i] = best;
  }
  return { data, width, height };
}

/** The body, within its bounds of size and time. */
async function readBody(request, maxBytes, timeoutMs) {
  if (!request.body) return new Uint8Array(0);
  const reader = request.body.getReader();
  let timer;
  const late = new Promise((_, reject) => {
    const error = new HttpError(408, 'ERR_BODY_TIMEOUT', `expected the body within ${timeoutMs / 1000} s`);
    timer = setTimeout(() => reject(error), timeoutMs);
  });
  const parts = [];
  let bytes = 0;
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), late]);
      if (done) break;
      bytes += value.length;
      if (bytes > maxBytes) throw tooLarge(maxBytes);
      parts.push(value);
    }
  } catch (error) {
    await reader.cancel().catch(() => {});
    if (error instanceof HttpError) throw error;
    throw new HttpError(400, 'ERR_BODY', 'expected the whole body, got a part');
  } finally {
    clearTimeout(timer);
  }
  const body = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    body.set(part, at);
    at += part.length;
  }
  return body;
}

function tooLarge(maxBytes) {
  return new HttpError(413, 'ERR_BODY_SIZE', `expected a body of at most ${maxBytes} bytes, got more`);
}

function allowMethods(request, ...methods) {
  if (methods.includes(request.method)) return;
  throw new HttpError(405, 'ERR_METHOD', `expected ${methods.join(' or ')}, got ${request.method}`, {
    allow: methods.join(', '),
  });
}

/** The Content-Type without its parameters. */
function typeOf(request) {
  return (request.headers.get('content-type') ?? '').split(';')[0].trim().toLowerCase();
}

/** The first of the offered types that Accept names; weights are ignored. */
function acceptedType(request, offered) {
  const accepted = (request.headers.get('accept') ?? '*/*').split(',').map((part) => part.split(';')[0].trim());
  for (const type of accepted) {
    const found = offered.find((one) => type === '*/*' || type === one || type === `${one.split('/')[0]}/*`);
    if (found) return found;
  }
  throw new HttpError(406, 'ERR_ACCEPT', `expected to accept ${offered.join(' or ')}, got ${accepted.join(', ')}`);
}
