/** Files of URLs of which a cache keeps parts: which state a part is of, and where nothing is kept. */

import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { cachedFile, type RangeCache, rangesInCache } from '../../src/hub/index.ts';
import { openWeights, saveSafetensors, tensor, ValueError } from '../../src/index.ts';
import { squeezenet1_1 } from '../../src/models/squeezenet.ts';
import { openPretrained, pretrained, SqueezeNet1_1_Weights } from '../../src/weights/index.ts';
import { Weights } from '../../src/weights/weights.ts';
import { type Asked, type FileServerOptions, servedBytes, serveFile } from '../support/file-server.ts';
import { fillParameters } from '../support/generator.ts';
import { pthOf } from '../support/pth.ts';
import { rejection } from '../support/thrown.ts';

const model = fillParameters(squeezenet1_1());
const file = pthOf('zip', model.stateDict());
const NAMES = ['features.0.weight', 'classifier.1.bias'];

afterEach(() => {
  vi.unstubAllGlobals();
});

/** A cache in memory that counts its parts. */
function memoryCache(): RangeCache & { readonly parts: Map<string, unknown> } {
  const parts = new Map<string, unknown>();
  const keyOf = (...key: readonly unknown[]) => JSON.stringify(key);
  return {
    parts,
    match: async (...key) => (parts.get(keyOf(...key)) ?? null) as never,
    put: async (one, begin, end, range) => void parts.set(keyOf(one, begin, end), range),
  };
}

describe('cachedFile', () => {
  it.each([
    ['its ETag', { etag: '"a"' }],
    ['its date', { 'last-modified': 'Sat, 28 Nov 2026 10:00:00 GMT' }],
  ])('keeps parts under a file’s state: %s', async (_, headers) => {
    await using server = await serveFile(servedBytes(file), { headers: () => headers });
    const cache = memoryCache();
    const load = async () => (await openWeights((await cachedFile(server.url, { cache }))!)).load(NAMES);
    const tensors = await load();
    const asked = server.ranges.length;
    expect(await load()).toEqual(tensors);
    expect(server.ranges.slice(asked)).toEqual(['bytes=0-65535']);
    expect([...cache.parts.keys()].every((key) => key.includes(JSON.stringify(Object.values(headers)[0])))).toBe(true);
  });

  it('keeps nothing of a server that tells no state', async () => {
    await using server = await serveFile(servedBytes(file), { headers: () => ({}) });
    const cache = memoryCache();
    await (await openWeights((await cachedFile(server.url, { cache }))!)).load(NAMES);
    expect(cache.parts.size).toBe(0);
  });

  it('keeps files that differ in the query alone apart, without the query itself', async () => {
    const bytes = [1, 2].map((value) =>
      saveSafetensors([['w', tensor(new Float32Array(40_000).fill(value), [40_000])]]),
    );
    const headers = () => ({ 'last-modified': 'Sat, 28 Nov 2026 10:00:00 GMT' });
    const fault = ({ range, request, response }: Asked) => {
      const own = bytes[Number(/id=(\d)/.exec(request.url!)![1])]!;
      for (const [name, value] of Object.entries(headers())) response.setHeader(name, value);
      const { begin, end } = { begin: range!.begin, end: Math.min(range!.end, own.length) };
      response.writeHead(206, { 'content-range': `bytes ${begin}-${end - 1}/${own.length}` });
      response.end(own.subarray(begin, end));
      return true;
    };
    await using server = await serveFile(servedBytes(bytes[0]!), { fault });
    const cache = memoryCache();
    const load = async (query: string) => {
      const opened = await openWeights((await cachedFile(server.url + query, { cache }))!);
      return (await opened.load()).get('w')!.data.at(-1);
    };
    for (const id of [0, 1, 0, 1]) expect(await load(`?id=${id}&sig=secret`)).toBe(id + 1);
    expect(server.ranges).toHaveLength(2 * 2 + 2);
    expect([...cache.parts.keys()].join()).not.toContain('secret');
    vi.stubGlobal('crypto', {});
    const kept = cache.parts.size;
    expect(await load('?id=0')).toBe(1);
    expect(cache.parts.size).toBe(kept);
  });

  it('is null of a server without ranges, whose connection it lets go of', async () => {
    await using server = await serveFile(servedBytes(file), { ranges: false });
    expect(await cachedFile(server.url, { cache: memoryCache() })).toBeNull();
  });

  it('opens an index of shards, with the option shard', async () => {
    const shard = saveSafetensors([['a', tensor([1, 2, 3], [3])]]);
    const index = new TextEncoder().encode(JSON.stringify({ weight_map: { a: 'm.safetensors' } }));
    const fetch = async (address: string, init: RequestInit) => {
      const bytes = address.endsWith('json') ? index : shard;
      const [, begin, last] = /(\d+)-(\d+)/.exec(new Headers(init.headers).get('range')!)!.map(Number) as number[];
      const end = Math.min(last! + 1, bytes.length);
      const headers = { 'content-range': `bytes ${begin}-${end - 1}/${bytes.length}`, etag: '"1"' };
      return new Response(bytes.slice(begin, end), { status: 206, headers });
    };
    const url = 'https://example.com/m.safetensors.index.json';
    const cache = memoryCache();
    const file = await openWeights((await cachedFile(url, { cache, fetch })) ?? url, {
      async shard(name) {
        const near = new URL(name, url);
        return (await cachedFile(near, { cache, fetch })) ?? near;
      },
    });
    expect([...(await file.load()).get('a')!.data]).toEqual([1, 2, 3]);
  });

  it('calls the file by its address in errors, without secrets', async () => {
    await using server = await serveFile(servedBytes(file.subarray(0, 1e6)));
    const source = await cachedFile(`${server.url}?token=secret`, { cache: memoryCache() });
    expect(await rejection(() => openWeights(source!))).toMatch(
      new RegExp(`^FormatError: ${server.url}: pth: the end is missing: 1000000 of at least `),
    );
  });

  it('refuses what is no cache', async () => {
    expect(await rejection(() => cachedFile('https://host/w', { cache: {} as RangeCache }))).toBe(
      "ValueError: cachedFile: expected cache with match and put, such as folderCache's, got {}",
    );
  });
});

describe('torchvision’s weights', () => {
  const { meta, url } = SqueezeNet1_1_Weights.DEFAULT;
  const digits = createHash('sha256').update(file).digest('hex').slice(0, 8);
  const own = new Weights(
    'SqueezeNet1_1',
    'IMAGENET1K_V1',
    { model: 'squeezenet1_1', meta, preset: {} as never },
    digits,
  );
  const serve = async (options?: FileServerOptions) => {
    const server = await serveFile(servedBytes(file), options);
    return { server, mirror: new URL(server.url).origin };
  };

  it.each([false, true])('are kept in a cache, of the whole file: %s', async (checkHash) => {
    const { server, mirror } = await serve();
    await using _server = server;
    const cache = memoryCache();
    const load = () => pretrained('squeezenet1_1', { weights: own, mirror, cache, checkHash });
    const first = await load();
    const asked = server.ranges.length;
    const second = await load();
    expect(second.stateDict()).toEqual(first.stateDict());
    expect(server.ranges.slice(asked)).toEqual(['bytes=0-65535']);
  });

  it('are read from this machine where they are, and the file is closed', async () => {
    let closed = 0;
    const asked: string[] = [];
    const local = async (of: string) => {
      asked.push(of);
      const read = async (buffer: Uint8Array, offset: number, length: number, position: number) => {
        const part = file.subarray(position, position + length);
        buffer.set(part, offset);
        return { bytesRead: part.length };
      };
      const stat = async () => ({ size: file.length, mtimeMs: 1 });
      return { name: '/there/w.pth', read, stat, close: async () => void closed++ };
    };
    const cache = memoryCache();
    const mirror = 'http://127.0.0.1:9';
    await pretrained('squeezenet1_1', { weights: own, local, cache, mirror });
    expect([asked, closed, cache.parts.size]).toEqual([[own.url], 1, 0]);
    expect(await rejection(() => openPretrained(SqueezeNet1_1_Weights.DEFAULT, { local, checkHash: true }))).toMatch(
      /^FormatError: \/there\/w\.pth: openWeights: expected a file whose SHA-256 begins with b8a52dc0, /,
    );
    expect([asked[1], closed]).toEqual([url, 2]);
  });

  it.each([
    [{ local: 'x' }, 'ValueError: openPretrained: expected local as a function, got "x"'],
    [
      { cache: new Map() },
      "ValueError: openPretrained: expected cache with match and put, such as folderCache's, got a Map",
    ],
  ])('refuse %j', async (options, message) => {
    expect(await rejection(() => openPretrained(own, options as never))).toBe(message);
  });
});

it('rangesInCache keeps parts for any file', async () => {
  const kept = new Map<string, Response>();
  const cache = rangesInCache({
    match: async (request) => kept.get(request)?.clone(),
    put: async (request, response) => void kept.set(request, response),
    delete: async (request) => kept.delete(request),
  });
  await using server = await serveFile(servedBytes(file));
  for (let i = 0; i < 2; i++) await (await openWeights((await cachedFile(server.url, { cache }))!)).load(NAMES);
  expect(kept.size).toBeGreaterThan(1);
  expect(server.ranges.filter((range) => range !== 'bytes=0-65535').length).toBe(kept.size - 1);
  expect(() => rangesInCache({} as never)).toThrow(ValueError);
});
