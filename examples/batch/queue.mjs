/**
 * The queue and the results, both in one Redis: what the producer, the workers and the status agree on. A job is one image, its
 * id is made of the image's name, and its result is stored under that id: a job that runs twice leaves one result.
 */

import { Queue } from 'bullmq';
import { Redis } from 'ioredis';

/** The queue's name in Redis. */
export const QUEUE = 'layertap-images';

const RESULTS = 'layertap-results';

/** A connection to the Redis at REDIS_URL. Workers wait for theirs as long as it takes, which BullMQ asks for. */
export function connect() {
  return new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379', { maxRetriesPerRequest: null });
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

/** A job's id for an image: BullMQ wants no colons and no plain numbers. */
export function idOf(image) {
  return `image-${encodeURIComponent(image)}`;
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

  /** How many there are. */
  count() {
    return this.#redis.hlen(RESULTS);
  }

  /** All results, a few at a time. @returns {AsyncGenerator<[id: string, values: Float32Array]>} */
  async *entries() {
    const seen = new Set();
    let cursor = '0';
    do {
      const [next, pairs] = await this.#redis.hscanBuffer(RESULTS, cursor, 'COUNT', 1000);
      for (let i = 0; i < pairs.length; i += 2) {
        const id = pairs[i].toString();
        // A scan may tell an entry twice.
        if (seen.has(id)) continue;
        seen.add(id);
        yield [id, new Float32Array(new Uint8Array(pairs[i + 1]).buffer)];
      }
      cursor = next.toString();
    } while (cursor !== '0');
  }
}
