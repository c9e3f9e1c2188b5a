/**
 * A request's body, bounded in bytes, and in time by a least rate: who sends slower than that is cut off, and holds up
 * nobody meanwhile. Hono's bodyLimit has no rate, and says nothing of what is held before the whole body is there.
 */

import { HttpError } from './failures.mjs';

/**
 * While the thread computed for others, bytes may have arrived that it has yet to see when a time is over. So there is
 * a second look.
 */
const SECOND_LOOK_MS = 100;

/**
 * The whole body.
 *
 * @param {Request} request
 * @param {{ hold(bytes: number, until: number): void }} place told of what is held before more is read
 * @param {{ maxBodyBytes: number, bodyGraceMs: number, minBytesPerSecond: number }} limits
 * @returns {Promise<Uint8Array>}
 * @throws {HttpError} 413 beyond `maxBodyBytes`, 408 below the least rate, 400 where it breaks off
 */
export async function readBody(request, place, { maxBodyBytes, bodyGraceMs, minBytesPerSecond }) {
  const begin = Date.now();
  const reader = request.body?.getReader();
  const parts = [];
  let bytes = 0;
  try {
    for (;;) {
      const until = begin + bodyGraceMs + (bytes / minBytesPerSecond) * 1000;
      place.hold(bytes, until);
      const { done, value } = reader ? await inTime(reader.read(), until) : { done: true };
      if (done) return concat(parts);
      bytes += value.length;
      if (bytes > maxBodyBytes) throw tooLarge(maxBodyBytes);
      parts.push(value);
    }
  } catch (error) {
    reader?.cancel().catch(() => {});
    if (!(error instanceof HttpError)) throw new HttpError(400, 'ERR_BODY', 'expected the whole body, got a part');
    throw error;
  }

  /** What the promise gives, unless that takes too long. */
  async function inTime(promise, until) {
    let timer;
    const late = new Promise((_, reject) => {
      const rule = `within ${bodyGraceMs / 1000} s and a second for each ${minBytesPerSecond} bytes`;
      const error = new HttpError(408, 'ERR_BODY_TIMEOUT', `expected the body ${rule}, got ${bytes} bytes by then`);
      const again = () => {
        timer = setTimeout(() => reject(error), SECOND_LOOK_MS);
      };
      timer = setTimeout(again, Math.max(until - Date.now(), 0));
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** The refusal of a body, whether it says its size or not. */
export function tooLarge(maxBytes) {
  return new HttpError(413, 'ERR_BODY_SIZE', `expected a body of at most ${maxBytes} bytes, got more`);
}

/** All parts in one array. @param {readonly Uint8Array[]} parts */
export function concat(parts) {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
