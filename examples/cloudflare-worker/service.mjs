/**
 * The service: an image comes by POST, features, an embedding or a mask go back. It knows `Request` and `Response`, and
 * no host: the host's module brings weights and a JPEG decoder (workerd.mjs, node.mjs, deno.mjs, bun.mjs).
 */

import { cors } from 'hono/cors';
import { Hono } from 'hono/tiny';
import { parseAccept } from 'hono/utils/accept';
import { LayertapError, MemoryError, saveSafetensors } from 'layertap';
import { readBody, tooLarge } from './body.mjs';
import { answerOf, HttpError } from './failures.mjs';
import { imageHeader } from './image-header.mjs';
import { MODELS } from './models.mjs';
import { pause, sharedNetwork } from './network.mjs';
import { Places } from './places.mjs';
import { checkPng, decodePng, encodeMask } from './png.mjs';
import { release } from './release.mjs';

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
 * @property {<T>(use: (file: import('layertap').OpenedSafetensors) => Promise<T>) => Promise<T>} withWeights opens and
 *   closes the weights around their use
 * @property {(bytes: Uint8Array) => import('layertap').Image} decodeJpeg
 * @property {boolean} [loadsOnce] whether the weights are gone once they are loaded: the network is kept then, even
 *   where memory has run out
 * @property {Partial<typeof DEFAULT_LIMITS>} [limits]
 * @property {string | undefined} [corsOrigin] whose pages may read the answers, an origin or `*`; nobody's unless given
 */

const DEFAULT_LIMITS = {
  maxBodyBytes: 4 * 2 ** 20,
  /** Of all bodies that are in memory; with more, requests get 429. */
  maxHeldBytes: 16 * 2 ** 20,
  /** Requests that have arrived and are yet to be run; those beyond get 429. */
  maxReady: 32,
  /** A body may take so long, and the time that its bytes take at the least rate besides. */
  bodyGraceMs: 10_000,
  minBytesPerSecond: 65_536,
  /** An image's longer side over its shorter one: a line of pixels makes much work of few bytes. */
  maxAspect: 20,
};

/** A request that has arrived is run well within this time, or its client has gone away and the host dropped it. */
const READY_MS = 60_000;

/**
 * A function that answers requests. No request waits for another one: reading, loading and checking take turns,
 * decoding and the network run in one go, so one image at most is in memory as pixels.
 *
 * @param {Host} host
 * @returns {(request: Request, context?: { waitUntil?(promise: Promise<unknown>): void }) => Promise<Response>}
 */
export function createService({ model: name, withWeights, decodeJpeg, loadsOnce, limits: given, corsOrigin }) {
  const model = MODELS[name];
  if (!model) throw new Error(`expected a model of ${Object.keys(MODELS).join(', ')}, got ${name}`);
  const limits = { ...DEFAULT_LIMITS, ...given };
  const places = new Places(limits.maxHeldBytes, limits.maxReady);
  const network = sharedNetwork(load);

  async function load(onProgress) {
    const built = model.build();
    const options = { inputShapes: model.inputShapes, onProgress };
    await withWeights((file) => built.loadStateDictAsync(file, options));
    return built;
  }

  /** The image's kind and size, where it is one that can be served. */
  function headerOf(bytes, declared) {
    const header = imageHeader(bytes);
    if (header.type !== declared) {
      throw new HttpError(400, 'ERR_IMAGE', `expected ${declared} as Content-Type says, got ${header.type}`);
    }
    const { width, height } = header;
    const tooBig = (expected) => new HttpError(413, 'ERR_IMAGE_SIZE', `expected ${expected}, got ${width} x ${height}`);
    if (width * height === 0 || width * height > model.maxPixels) {
      throw tooBig(`an image of 1 to ${model.maxPixels} pixels`);
    }
    const { maxAspect } = limits;
    if (Math.max(width, height) > maxAspect * Math.min(width, height)) {
      throw tooBig(`an image at most ${maxAspect} times as long as it is wide`);
    }
    const input = model.inputSize(header);
    if (input.width * input.height > model.maxInputPixels) {
      throw tooBig(`an image that gives the network at most ${model.maxInputPixels} pixels`);
    }
    return header;
  }

  /** The answer, in one go. */
  function infer(ready, bytes, header, path, type) {
    const image = header.type === 'image/png' ? decodePng(bytes) : decodeJpeg(bytes);
    // An orientation may have turned it.
    if (image.width * image.height !== header.width * header.height) {
      throw new HttpError(400, 'ERR_IMAGE', 'expected pixels as the header says, got another size');
    }
    try {
      const x = model.prepare(image);
      release(image.data);
      if (path === '/mask' && model.scores) return maskAnswer(argmax(model.scores(ready, x)), type);
      return featuresAnswer(model.features(ready, x), path, type);
    } catch (error) {
      if (error instanceof MemoryError || error instanceof RangeError || error instanceof WebAssembly.RuntimeError) {
        // A memory that couldn't grow: the next request begins with a new one.
        if (!loadsOnce) network.drop();
        throw new HttpError(503, 'ERR_MEMORY', 'not enough memory for this image', { 'retry-after': '1' });
      }
      if (error instanceof LayertapError) throw new HttpError(422, error.code, error.message);
      throw error;
    }
  }

  async function answerTo(c, path, offered) {
    const request = c.req.raw;
    const type = acceptedType(c, offered);
    const declared = typeOf(c);
    if (!IMAGE_TYPES.includes(declared)) {
      throw new HttpError(
        415,
        'ERR_CONTENT_TYPE',
        `expected Content-Type ${IMAGE_TYPES.join(' or ')}, got ${declared || 'none'}`,
      );
    }
    if (Number(c.req.header('content-length')) > limits.maxBodyBytes) throw tooLarge(limits.maxBodyBytes);
    const place = places.enter();
    // The weights may come while the body does; where they can't be loaded, that matters once there is an image.
    const loading = network.get(c.env.context);
    loading.catch(() => {});
    try {
      const bytes = await readBody(request, place, limits);
      const header = headerOf(bytes, declared);
      place.ready(Date.now() + READY_MS);
      if (header.type === 'image/png') await checkPng(bytes, header);
      const ready = await loading;
      // Requests that have arrived meanwhile are counted before this one takes the thread.
      await pause(0);
      if (request.signal?.aborted) throw new HttpError(499, 'ERR_GONE', 'the client has gone away');
      return infer(ready, bytes, header, path, type);
    } finally {
      place.leave();
    }
  }

  const served = Object.entries(PATHS).filter(([path]) => path !== '/mask' || model.scores);
  const paths = served.map(([path]) => path);

  const app = new Hono();
  app.use(async (c, next) => {
    await next();
    c.header('x-content-type-options', 'nosniff');
  });
  if (corsOrigin) app.use(cors({ origin: corsOrigin, ...CORS }));
  app.get('/', (c) => c.json({ model: name, paths, imageTypes: IMAGE_TYPES }));
  app.all('/', refuseMethod('GET', 'HEAD'));
  for (const [path, offered] of served) {
    app.post(path, (c) => answerTo(c, path, offered));
    app.all(path, refuseMethod('POST'));
  }
  app.notFound(() => answerOf(new HttpError(404, 'ERR_PATH', `expected a path of ${paths.join(', ')}`)));
  app.onError(answerOf);
  return async (request, context) => app.fetch(request, { context });
}

/** What a page of another origin may send and read. */
const CORS = {
  allowMethods: ['GET', 'HEAD', 'POST'],
  allowHeaders: ['content-type', 'accept'],
  exposeHeaders: ['x-width', 'x-height', 'retry-after'],
  maxAge: 86400,
};

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

/**
 * A body in parts, as the client takes them: workerd holds on to large bodies that come as a whole, and its memory
 * grows by many of them.
 */
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

/**
 * The class with the highest score at each pixel; NaN is the highest, as for torch.argmax.
 *
 * @param {import('layertap').Tensor<Float32Array>} scores `[1, classes, H, W]`
 */
function argmax({ data: scores, shape: [, classes, height, width] }) {
  const plane = height * width;
  const data = new Uint8Array(plane);
  for (let i = 0; i < plane; i++) {
    let best = 0;
    for (let c = 1; c < classes && !Number.isNaN(scores[best * plane + i]); c++) {
      if (!(scores[c * plane + i] <= scores[best * plane + i])) best = c;
    }
    data[i] = best;
  }
  return { data, width, height };
}

/** Answers a path whose handlers take other methods. */
function refuseMethod(...methods) {
  return (c) => {
    throw new HttpError(405, 'ERR_METHOD', `expected ${methods.join(' or ')}, got ${c.req.method}`, {
      allow: methods.join(', '),
    });
  };
}

/** The Content-Type without its parameters. */
function typeOf(c) {
  return (c.req.header('content-type') ?? '').split(';')[0].trim().toLowerCase();
}

/** Of the offered types, the one that Accept names with the largest weight. */
function acceptedType(c, offered) {
  const accepted = parseAccept(c.req.header('accept') || '*/*').filter(({ q }) => q > 0);
  for (const { type } of accepted) {
    const found = offered.find((one) => type === '*/*' || type === one || type === `${one.split('/')[0]}/*`);
    if (found) return found;
  }
  const got = accepted.map(({ type }) => type).join(', ');
  throw new HttpError(406, 'ERR_ACCEPT', `expected to accept ${offered.join(' or ')}, got ${got}`);
}
