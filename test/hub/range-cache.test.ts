/** Caches of parts of files: what is asked for again, whose state a part is of, and what a cache may do wrong. */

import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import files from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FileChangedError, UnsupportedError, ValueError } from '../../src/errors.ts';
import { saveSafetensors } from '../../src/formats/safetensors-write.ts';
import {
  type CacheLike,
  fromHub,
  type OpenHubOptions,
  openHub,
  type RangeCache,
  rangesInCache,
} from '../../src/hub/index.ts';
import { resnet18 } from '../../src/models/resnet.ts';
import { folderCache } from '../../src/node/index.ts';
import { Tensor } from '../../src/tensor/tensor.ts';
import { generatedParameter } from '../support/generator.ts';
import { COMMIT, type HubOptions, type HubServer, serveHub } from '../support/hub-server.ts';
import { timmConfig } from '../support/timm.ts';

const REPO = 'timm/resnet18.tag';
const eager = { retries: 0, retryDelayMs: 0, onWarning: null, returnLayers: { layer1: 'c2' } } as const;

/** Weights whose first layers are generated from the prefix; the others are small. */
function weightsOf(prefix: string, classes = 1000): Uint8Array {
  const shapes = [...resnet18({ numClasses: classes }).stateShapes()].filter(([key]) => !key.endsWith('tracked'));
  return saveSafetensors(
    shapes.map(([key, shape]) => {
      const isKept = /^(conv1|bn1|layer1)\b/.test(key);
      const data = isKept
        ? generatedParameter(key, shape, prefix).data
        : new Float32Array(shape.reduce((a, b) => a * b, 1));
      return [key, new Tensor(data, shape)] as const;
    }),
  );
}

const first = weightsOf('first');
const second = weightsOf('second');

let folder = '';
const servers: HubServer[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'layertap-'));
});
afterEach(async () => {
  vi.unstubAllGlobals();
  rmSync(folder, { recursive: true, force: true });
  for (const server of servers.splice(0)) await server.close();
});

async function serve(weights: Uint8Array, options: Partial<HubOptions> = {}): Promise<HubServer> {
  const repos = { [REPO]: { 'config.json': timmConfig('resnet18'), 'model.safetensors': weights } };
  const server = await serveHub({ repos, ...options });
  servers.push(server);
  return server;
}

/** The first convolution's weights. */
async function conv1(server: HubServer, options: OpenHubOptions): Promise<Float32Array> {
  const { getter } = await fromHub(REPO, { ...eager, endpoint: server.endpoint, ...options });
  return [...getter.namedParameters()].find(([key]) => key === 'conv1.weight')![1].values() as Float32Array;
}

const expected = (prefix: string) => generatedParameter('conv1.weight', [64, 3, 7, 7], prefix).data;

/** A host's Cache: as the standard has it, it refuses parts. */
class MapCache implements CacheLike {
  readonly entries = new Map<string, Response>();
  async match(request: string) {
    return this.entries.get(request)?.clone();
  }
  async put(request: string, response: Response) {
    if (response.status === 206) throw new TypeError('206');
    this.entries.set(request, response);
  }
  async delete(request: string) {
    return this.entries.delete(request);
  }
  async keys() {
    return [...this.entries.keys()].map((url) => ({ url }));
  }
}

describe.each([
  ['folderCache', () => folderCache(join(folder, 'made', 'here'))],
  ['rangesInCache', () => rangesInCache(new MapCache())],
] as const)('%s', (_, make) => {
  it('answers the second time, without the server where the revision is a commit', async () => {
    const server = await serve(first);
    const cache = make();
    expect(await conv1(server, { cache, revision: COMMIT })).toEqual(expected('first'));
    const asked = server.requests.length;
    expect(asked).toBeGreaterThan(2);
    expect(await conv1(server, { cache, revision: COMMIT })).toEqual(expected('first'));
    expect(server.requests.length).toBe(asked);
  });

  it('asks for the config alone where the revision is a branch', async () => {
    const server = await serve(first);
    const cache = make();
    await conv1(server, { cache });
    server.requests.length = 0;
    expect(await conv1(server, { cache })).toEqual(expected('first'));
    expect(server.requests.map(({ path }) => path)).toEqual([`/${REPO}/resolve/main/config.json`]);
  });

  it('keeps states of a file apart by their ETags where a mirror tells no commit', async () => {
    const cache = make();
    const before = await serve(first, { tells: false });
    await conv1(before, { cache });
    // The same address, and another file of the same size.
    const { host } = new URL(before.endpoint);
    const after = await serve(second, { tells: false });
    const fetch = (url: string, init: RequestInit) =>
      globalThis.fetch(url.replace(host, new URL(after.endpoint).host), init);
    expect(await conv1(before, { cache, fetch })).toEqual(expected('second'));
    expect(await conv1(before, { cache })).toEqual(expected('first'));
  });

  it('gives no part for another, nor one of another file', async () => {
    const cache = make();
    const file = { url: 'https://host/file', identity: 'a' };
    const range = { bytes: Uint8Array.of(1, 2, 3), byteLength: 10 };
    await cache.put(file, 2, 5, range);
    expect(await cache.match(file, 2, 5)).toEqual(range);
    for (const [other, begin, end] of [
      [file, 2, 4],
      [file, 3, 5],
      [file, 0, 10],
      [{ ...file, identity: 'b' }, 2, 5],
      [{ ...file, url: 'https://host/other' }, 2, 5],
    ] as const) {
      expect(await cache.match(other, begin, end)).toBeNull();
    }
  });
});

describe('what a cache may do wrong', () => {
  const fails: RangeCache = {
    match: () => Promise.reject(new Error('no disk')),
    put: () => Promise.reject(new Error('no room')),
  };
  const gives = (found: unknown): RangeCache => ({
    match: async () => found as never,
    put: async () => {},
  });

  it.each([
    ['fails', fails],
    ['gives fewer bytes', gives({ bytes: new Uint8Array(5), byteLength: 1e9 })],
    ['gives a size that is none', gives({ bytes: new Uint8Array(5), byteLength: 0.5 })],
    ['gives something else', gives({})],
  ])('one that %s counts as one that has nothing', async (_, cache) => {
    const server = await serve(first);
    expect(await conv1(server, { cache, revision: COMMIT })).toEqual(expected('first'));
  });

  it.each([
    ['a text', (length: number) => 'x'.repeat(length)],
    ['a plain array', (length: number) => new Array(length).fill(0)],
    ['floats', (length: number) => new Float32Array(length)],
  ])('one that gives %s for bytes counts as one that has nothing', async (_, bytesOf) => {
    const server = await serve(first);
    const length = { 'config.json': JSON.stringify(timmConfig('resnet18')).length, 'model.safetensors': first.length };
    const cache: RangeCache = {
      async match({ url }, begin, end) {
        const byteLength = length[url.split('/').at(-1) as keyof typeof length];
        return { bytes: bytesOf(Math.min(end, byteLength) - begin), byteLength } as never;
      },
      put: async () => {},
    };
    expect(await conv1(server, { cache, revision: COMMIT })).toEqual(expected('first'));
  });

  describe('a part of a file of another size than the server’s', () => {
    const bytes = weightsOf('first', 10);
    /** The cache has the header of the first file. The server has another one now. */
    async function changed() {
      const server = await serve(first);
      const cache = folderCache(folder);
      await conv1(server, { cache, revision: COMMIT });
      for (const name of readdirSync(folder)) if (!name.endsWith('-0-65536.part')) rmSync(join(folder, name));
      const { host } = new URL(server.endpoint);
      const other = await serve(bytes);
      const fetch = (url: string, init: RequestInit) =>
        globalThis.fetch(url.replace(host, new URL(other.endpoint).host), init);
      return { server, options: { cache, revision: COMMIT, fetch } };
    }

    it('is an error, not a mixture, and is replaced for who opens the file again', async () => {
      const { server, options } = await changed();
      const error = await conv1(server, options).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(FileChangedError);
      expect((error as Error).message).toBe(
        `fromHub: expected the same file as in the cache from ${server.endpoint}/${REPO}/resolve/${COMMIT}/` +
          `model.safetensors, got size ${bytes.length} after ${first.length}; it is replaced: try again`,
      );
      expect(await conv1(server, options)).toEqual(expected('first'));
    });

    it('stays an error for who reads on', async () => {
      const { server, options } = await changed();
      const { weights, close } = await openHub(REPO, { ...options, endpoint: server.endpoint, onWarning: null });
      for (let i = 0; i < 2; i++) {
        const read = weights.stream(['layer1.1.conv1.weight'])[Symbol.asyncIterator]().next();
        expect(await read.catch((reason: unknown) => reason)).toBeInstanceOf(FileChangedError);
      }
      await close();
    });
  });
});

describe('folderCache', () => {
  const file = { url: 'https://host/file', identity: 'a' };
  const part = (size: number) => ({ bytes: new Uint8Array(size).fill(7), byteLength: 1e6 });
  const formerPart = (size: number) => {
    const bytes = Buffer.alloc(16 + size, 7);
    bytes.writeDoubleLE(1e6, 0);
    bytes.writeDoubleLE(size, 8);
    return bytes;
  };

  it.each([
    ['cut', (path: string) => truncateSync(path, 50)],
    ['cut to nothing', (path: string) => truncateSync(path, 0)],
    ['longer', (path: string) => writeFileSync(path, new Uint8Array(200), { flag: 'a' })],
    ['of other sizes than it says', (path: string) => writeFileSync(path, new Uint8Array(180))],
    ['half zeros', (path: string) => writeFileSync(path, readFileSync(path).fill(0, 130))],
    ['of another size of the file', (path: string) => writeFileSync(path, readFileSync(path).fill(1, 0, 1))],
    ['without a checksum, as it once was', (path: string) => writeFileSync(path, formerPart(100))],
  ])('takes no part that is %s', async (_, harm) => {
    const cache = folderCache(folder);
    await cache.put(file, 0, 100, part(100));
    const [name] = readdirSync(folder);
    harm(join(folder, name!));
    expect(await cache.match(file, 0, 100)).toBeNull();
  });

  // Node's own recursive mkdir never ends there.
  it.runIf(existsSync('/proc/self'))('fails where a folder takes no folders', async () => {
    const cache = folderCache('/proc/nope/cache');
    await expect(cache.put(file, 0, 100, part(100))).rejects.toThrow("ENOENT: no such file or directory, mkdir '/proc");
    expect(await cache.match(file, 0, 100)).toBe(null);
  });

  it('removes what was used longest ago beyond its bound', async () => {
    const cache = folderCache(folder, { maxBytes: 600 });
    for (const begin of [0, 100, 200]) {
      await cache.put(file, begin, begin + 100, part(100));
      const name = readdirSync(folder).find((one) => one.includes(`-${begin}-`))!;
      utimesSync(join(folder, name), begin + 1, begin + 1);
    }
    await cache.match(file, 0, 100); // used now
    await cache.put(file, 300, 400, part(100));
    const kept = await Promise.all([0, 100, 200, 300].map((begin) => cache.match(file, begin, begin + 100)));
    expect(kept.map((found) => found !== null)).toEqual([true, false, true, true]);
    await cache.put(file, 400, 1000, part(600)); // more than the bound
    expect(await cache.match(file, 400, 1000)).toBeNull();
  });

  it('doesn’t look at all parts each time that one is put', async () => {
    const stat = vi.spyOn(files, 'stat');
    const cache = folderCache(folder);
    for (let begin = 0; begin < 2000; begin += 100) await cache.put(file, begin, begin + 100, part(100));
    expect(stat.mock.calls.filter(([path]) => String(path).endsWith('.part'))).toHaveLength(1);
    stat.mockRestore();
  });

  it.each(['EPERM', 'EROFS'])('gives parts of a folder that keeps no times: %s', async (code) => {
    const cache = folderCache(folder);
    await cache.put(file, 0, 100, part(100));
    const utimes = vi.spyOn(files, 'utimes').mockRejectedValue(Object.assign(new Error('not allowed'), { code }));
    expect(await cache.match(file, 0, 100)).toEqual(part(100));
    expect(utimes).toHaveBeenCalledOnce();
    utimes.mockRestore();
  });

  it('is written by many at once without anybody seeing half of it, and leaves nothing behind', async () => {
    const caches = Array.from({ length: 8 }, () => folderCache(folder));
    const reads: unknown[] = [];
    await Promise.all(
      caches.map(async (cache) => {
        await cache.put(file, 0, 1e5, part(1e5));
        reads.push((await cache.match(file, 0, 1e5))?.bytes.every((byte) => byte === 7));
      }),
    );
    expect(reads).toEqual(caches.map(() => true));
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it('removes what a process left unfinished an hour ago, and no file of others', async () => {
    const own = `${'0'.repeat(64)}-0-100.part.unfinished`;
    for (const name of [own, 'notes.txt']) {
      writeFileSync(join(folder, name), 'x');
      utimesSync(join(folder, name), 1, 1);
    }
    await folderCache(folder, { maxBytes: 200 }).put(file, 0, 100, part(100));
    expect([own, 'notes.txt'].map((name) => existsSync(join(folder, name)))).toEqual([false, true]);
  });

  it('has neither addresses nor tokens on the disk', async () => {
    const server = await serve(first, { token: 'hf_sesame' });
    await conv1(server, { cache: folderCache(folder), token: 'hf_sesame' });
    const [name] = readdirSync(folder).sort();
    const text = readdirSync(folder).join() + readFileSync(join(folder, name!), 'latin1');
    expect(text).not.toMatch(/sesame|127\.0\.0\.1|SECRET/);
  });

  it.each([
    ['', {}, `folderCache: expected a folder's path, got ""`],
    ['x', { maxBytes: -1 }, 'folderCache: expected maxBytes to be a whole number >= 0, got -1'],
  ])('refuses %j with %j', (path, options, message) => {
    expect(() => folderCache(path, options)).toThrow(new ValueError(message));
  });

  it('says where it works', () => {
    vi.stubGlobal('process', undefined);
    expect(() => folderCache('x')).toThrow(
      new UnsupportedError('folderCache: expected Node 20.16 or newer, Deno or Bun, got a host without their modules'),
    );
  });
});

describe('rangesInCache', () => {
  it('removes what was put first beyond its bound, and nothing of others', async () => {
    const map = new MapCache();
    await map.put('https://host/page', new Response('mine'));
    const cache = rangesInCache(map, { maxBytes: 250 });
    const file = { url: 'https://host/file?a', identity: '"a/b"' };
    for (const begin of [0, 100, 200]) {
      await cache.put(file, begin, begin + 100, { bytes: new Uint8Array(100), byteLength: 1000 });
    }
    expect(await cache.match(file, 0, 100)).toBeNull();
    expect((await cache.match(file, 200, 300))?.byteLength).toBe(1000);
    expect(map.entries.has('https://host/page')).toBe(true);
  });

  it('refuses what is no Cache', () => {
    expect(() => rangesInCache({} as CacheLike)).toThrow(
      new ValueError('rangesInCache: expected a Cache, got {}; caches.open(name) gives one'),
    );
  });
});
