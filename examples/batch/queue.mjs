/**
 * The queue and the results, both in one Redis: what the producer, the workers and the status agree on. A job is one
 * image, its id is made of the image's content, and its result is stored under that id: a job that runs twice leaves
 * one result, and so do two files of the same content. Which file has which content is kept beside.
 */

import { createHash } from 'node:crypto';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';

/** The queue's name in Redis. */
export const QUEUE = 'layertap-images';

const RESULTS = 'layertap-results';
const IMAGES = 'layertap-images-by-path';

/**
 * A connection to the Redis at REDIS_URL. Where there is none at first, the program ends and says so; one that goes
 * away later is waited for as long as it takes, which BullMQ asks for.
 */
export async function connect() {
  let wasUp = false;
  let reason = 'no answer';
  const redis = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379', {
    lazyConnect: true,
    maxRetriesPerRequest: null,
    retryStrategy: (attempts) => (wasUp ? Math.min(attempts * 100, 2000) : null),
  });
  // The address alone: the URL may hold a password.
  const { host, port, path } = redis.options;
  const address = path ?? `${host}:${port}`;
  const say = onceEach();
  redis.on('error', (error) => {
    reason = error.message;
    if (wasUp) say(`Redis at ${address} has gone away, waiting for it: ${error.message}`);
  });
  redis.on('ready', () => say.again());
  try {
    await redis.connect();
    await redis.ping();
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    if (message !== 'Connection is closed.') reason = message;
    console.error(`expected Redis at ${address}, got "${reason}"; start redis-server, or say in REDIS_URL where it is`);
    process.exit(1);
  }
  wasUp = true;
  return redis;
}

/** Prints a message unless it was the last one already: what is tried again every second fails every second. */
export function onceEach() {
  let last = null;
  function say(message) {
    if (message !== last) console.error(message);
    last = message;
  }
  say.again = () => {
    last = null;
  };
  return say;
}

/** The queue, for adding and counting. */
export function openQueue(connection) {
  return new Queue(QUEUE, {
    connection,
    defaultJobOptions: {
      attempts: 3,
      backoff: { type: 'exponential', delay: 1000 },
      // What is done is told by its result; what failed is kept, with its reason.
      removeOnComplete: true,
      removeOnFail: false,
    },
  });
}

/** A job's id for an image of this content. @param {Uint8Array} bytes */
export function idOf(bytes) {
  return `image-${createHash('sha256').update(bytes).digest('hex')}`;
}

/** The results by id: a hash whose values are float32 bytes. */
export class Results {
  #redis;

  /** @param {Redis} redis */
  constructor(redis) {
    this.#redis = redis;
  }

  /** Stores a result; the same one again changes nothing. @param {string} id @param {Float32Array} values */
  async put(id, values) {
    await this.#redis.hset(RESULTS, id, Buffer.from(values.buffer, values.byteOffset, values.byteLength));
  }

  /** Which of the ids have no result yet. @param {readonly string[]} ids @returns {Promise<Set<string>>} */
  async missing(ids) {
    const pipeline = this.#redis.pipeline();
    for (const id of ids) pipeline.hexists(RESULTS, id);
    const answers = await pipeline.exec();
    return new Set(ids.filter((_, i) => answers[i][1] === 0));
  }

  /** Notes which content the files have. @param {readonly { file: string, id: string }[]} images */
  async note(images) {
    if (images.length > 0) await this.#redis.hset(IMAGES, new Map(images.map(({ file, id }) => [file, id])));
  }

  /** How many there are. */
  count() {
    return this.#redis.hlen(RESULTS);
  }

  /**
   * All files and their results, null where there is none yet; a few at a time. @returns {AsyncGenerator<[file: string,
   * values: Float32Array | null]>}
   */
  async *entries() {
    const seen = new Set();
    let cursor = '0';
    do {
      const [next, pairs] = await this.#redis.hscan(IMAGES, cursor, 'COUNT', 1000);
      const found = [];
      for (let i = 0; i < pairs.length; i += 2) {
        // A scan may tell an entry twice.
        if (!seen.has(pairs[i])) found.push({ file: pairs[i], id: pairs[i + 1] });
        seen.add(pairs[i]);
      }
      const ids = found.map(({ id }) => id);
      const values = ids.length > 0 ? await this.#redis.hmgetBuffer(RESULTS, ...ids) : [];
      for (const [i, { file }] of found.entries()) {
        yield [file, values[i] && new Float32Array(new Uint8Array(values[i]).buffer)];
      }
      cursor = next;
    } while (cursor !== '0');
  }
}
