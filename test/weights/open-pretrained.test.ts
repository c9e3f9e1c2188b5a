/** What holds a weight file open is let go of, however the opening ends: files on the disk, connections of a cache. */

import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { RangeCache } from '../../src/formats/range-cache.ts';
import { saveSafetensors } from '../../src/formats/safetensors-write.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { type LocalFile, openPretrained, ResNet18_Weights } from '../../src/weights/index.ts';
import { classifiers } from '../../src/weights/weights.ts';
import { rejection } from '../support/thrown.ts';

const weights = ResNet18_Weights.DEFAULT;
/** More than is read at first. */
const values = tensor(new Float32Array(50_000), [50_000]);
const good = saveSafetensors([
  ['a', values],
  ['b', values],
]);
describe('a file on the disk', () => {
  /** @param onRead called before each read */
  const localFile = (bytes: Uint8Array, onRead = () => {}) => {
    let closed = 0;
    const file: LocalFile = {
      async read(buffer, offset, length, position) {
        onRead();
        const part = bytes.subarray(position, position + length);
        buffer.set(part, offset);
        return { bytesRead: part.length };
      },
      stat: async () => ({ size: bytes.length, mtimeMs: 1 }),
      async close() {
        closed++;
      },
    };
    return { local: async () => file, file, closed: () => closed };
  };

  it.each([false, true])('stays open until what was opened is closed; as a whole: %s', async (checkHash) => {
    const { local, closed } = localFile(good);
    const digits = createHash('sha256').update(good).digest('hex').slice(0, 8);
    const own = classifiers('Own', ['resnet18', 1, 1], 'IMAGENET1K_V1', {
      IMAGENET1K_V1: [digits, good.length / 2 ** 20, 1, 1, 1, '/pull/1'],
    });
    const opened = await openPretrained(own.DEFAULT, { local, checkHash });
    expect((await opened.load(['b'])).get('b')).toEqual(values);
    expect(closed()).toBe(0);
    await opened.close();
    expect(closed()).toBe(1);
  });

  it('is closed where it is no weight file, or another one', async () => {
    const page = localFile(new TextEncoder().encode('<!doctype html>'));
    expect(await rejection(() => openPretrained(weights, { local: page.local }))).toMatch(
      /^FormatError: .*got an HTML/,
    );
    expect(page.closed()).toBe(1);
    const other = localFile(good);
    expect(await rejection(() => openPretrained(weights, { local: other.local, checkHash: true }))).toMatch(
      /expected a file whose SHA-256 begins with f37072fd, got /,
    );
    expect(other.closed()).toBe(1);
  });

  it('is closed where the signal is aborted while it is opened, or read', async () => {
    for (const isRead of [false, true]) {
      const controller = new AbortController();
      const abort = () => controller.abort(new Error('enough'));
      const { file, closed } = localFile(good, abort);
      const local = async () => {
        if (!isRead) abort();
        return file;
      };
      const options = { local, checkHash: isRead, signal: controller.signal };
      expect(await rejection(() => openPretrained(weights, options))).toBe('Error: enough');
      expect(closed()).toBe(1);
    }
  });

  it('is closed where it can not be looked at', async () => {
    const { local, file, closed } = localFile(good);
    file.stat = () => Promise.reject(new Error('gone'));
    expect(await rejection(() => openPretrained(weights, { local }))).toBe('Error: gone');
    expect(closed()).toBe(1);
  });
});

describe('the connection of a cached file', () => {
  /** A server that does ranges once, and then answers with the whole file, whose end it keeps back. */
  const server = (onRead = () => {}) => {
    let requests = 0;
    let closed = 0;
    const cache: RangeCache = { match: async () => null, put: async () => {} };
    const fetch = async (_: unknown, init?: RequestInit) => {
      const [, begin, last] = /^bytes=(\d+)-(\d+)$/.exec(new Headers(init?.headers).get('range') ?? '') ?? [];
      if (requests++ === 0) {
        const headers = { 'content-range': `bytes ${begin}-${last}/${good.length}`, etag: '"a"' };
        return new Response(good.slice(Number(begin), Number(last) + 1), { status: 206, headers });
      }
      onRead();
      const body = new ReadableStream<Uint8Array>({
        start: (controller) => controller.enqueue(good.slice(0, -4)),
        cancel: () => void closed++,
      });
      return new Response(body, { headers: { 'content-length': String(good.length), etag: '"a"' } });
    };
    return { options: { cache, fetch, retries: 0 }, closed: () => closed };
  };

  it('stays open until what was opened is closed', async () => {
    const { options, closed } = server();
    const opened = await openPretrained(weights, options);
    expect((await opened.load(['a'])).get('a')).toEqual(values);
    expect(closed()).toBe(0);
    await opened.close();
    expect(closed()).toBe(1);
  });

  it('is closed where the signal is aborted meanwhile', async () => {
    const controller = new AbortController();
    const { options, closed } = server(() => controller.abort(new Error('enough')));
    const checked = { ...options, checkHash: true, signal: controller.signal };
    expect(await rejection(() => openPretrained(weights, checked))).toBe('Error: enough');
    expect(closed()).toBe(1);
  });

  it('is closed where the server goes on with more than the file', async () => {
    const { options, closed } = server();
    const small = classifiers('Small', ['resnet18', 1, 1], 'IMAGENET1K_V1', {
      IMAGENET1K_V1: ['00000000', 0.1, 1, 1, 1, '/pull/1'],
    });
    expect(await rejection(() => openPretrained(small.DEFAULT, { ...options, checkHash: true }))).toMatch(
      /, got more$/,
    );
    expect(closed()).toBe(1);
  });
});
