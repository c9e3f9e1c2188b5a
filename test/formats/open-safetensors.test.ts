/**
 * Files that are opened and read tensor by tensor: from bytes, Blobs, handles, streams and over HTTP; what is
 * refused, and what memory is taken.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { FileChangedError, FormatError, KeyError, NetworkError, ValueError } from '../../src/errors.ts';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import { coalesceRanges } from '../../src/formats/byte-ranges.ts';
import { HTTP_DEFAULTS, HttpOrigin } from '../../src/formats/http-origin.ts';
import { openSafetensors } from '../../src/formats/open-safetensors.ts';
import { readRange } from '../../src/formats/read-range.ts';
import { loadSafetensors } from '../../src/formats/safetensors-read.ts';
import { saveSafetensors } from '../../src/formats/safetensors-write.ts';
import { resnet50 } from '../../src/models/resnet.ts';
import { Tensor, tensor } from '../../src/tensor/tensor.ts';
import type { LoadProgress } from '../../src/tensor/tensor-stream.ts';
import {
  type Fault,
  type FileServer,
  type FileServerOptions,
  type ServedFile,
  servedBytes,
  serveFile,
} from '../support/file-server.ts';

const SEED = 20261124;

/** Larger than what is read first, so that tensors take requests of their own. */
const SMALL = 20_000;
const state = new Map(
  ['a', 'b', 'c', 'd', 'e', 'f'].map((name, n) => [
    name,
    new Tensor(
      Float32Array.from({ length: SMALL }, (_, i) => n + i / SMALL),
      [SMALL],
    ),
  ]),
);
const bytes = saveSafetensors([...state, ['steps', tensor([3], [])]], [['format', 'pt']]);
const HEADER_END = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
const placeOf = (name: string) => HEADER_END + 80_000 * (name.charCodeAt(0) - 97);

const servers: FileServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function serve(options: FileServerOptions = {}, file: ServedFile = servedBytes(bytes)): Promise<FileServer> {
  const server = await serveFile(file, options);
  servers.push(server);
  return server;
}

const eager = { retryDelayMs: 0 };

async function thrown(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return 'nothing thrown';
}

function expectValues(tensors: ReadonlyMap<string, Tensor>, names: readonly string[]): void {
  expect([...tensors.keys()]).toEqual(names);
  for (const [name, { data, shape, dtype }] of tensors) {
    const expected = loadSafetensors(bytes).get(name)!;
    expect({ shape, dtype }).toEqual({ shape: expected.shape, dtype: expected.dtype });
    expect(
      Buffer.compare(
        Buffer.from(data.buffer, data.byteOffset, data.byteLength),
        Buffer.from(expected.data.buffer, expected.data.byteOffset, expected.byteLength),
      ),
      name,
    ).toBe(0);
  }
}

/** One answer to all requests. */
function answers(status: number, headers: Record<string, string> = {}, body = new Uint8Array(0)): Fault {
  return ({ response }) => {
    response.writeHead(status, headers).end(body);
    return true;
  };
}

/** The stream's bytes in pieces of an odd size. */
function streamOf(source: Uint8Array, pieceBytes = 7919): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= source.length) controller.close();
      else controller.enqueue(source.subarray(at, at + pieceBytes));
      at += pieceBytes;
    },
  });
}

describe('memory that is given', () => {
  it('holds one tensor after the other, from every source', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'layertap-'));
    const path = join(folder, 'file.safetensors');
    writeFileSync(path, bytes);
    const handle = await open(path);
    try {
      for (const source of [(await serve()).url, bytes, new Blob([bytes]), handle, streamOf(bytes)]) {
        const file = await openSafetensors(source, eager);
        const tensors = new Map<string, Tensor>();
        const given = new ArrayBuffer(SMALL * 4);
        const asked = new Set<string>();
        const memory = (name: string, byteLength: number) => {
          asked.add(name);
          return new Uint8Array(given, 0, byteLength);
        };
        for await (const [name, { data, shape, dtype }] of file.stream(file.tensors.keys(), { memory })) {
          // Where a tensor came in one piece, it isn't copied.
          if (asked.has(name)) expect(data.buffer).toBe(given);
          tensors.set(name, new Tensor(data.slice(), shape, dtype));
        }
        expectValues(tensors, ['a', 'b', 'c', 'd', 'e', 'f', 'steps']);
        await file.close();
      }
    } finally {
      await handle.close();
      rmSync(folder, { recursive: true });
    }
  });

  it('is not used where tensors are kept', async () => {
    const file = await openSafetensors(bytes);
    expectValues(await file.load(), ['a', 'b', 'c', 'd', 'e', 'f', 'steps']);
  });
});

describe('over HTTP', () => {
  it("reads a getter's 6 MB of ResNet-50's 102", async () => {
    const { file, totalBytes } = syntheticFile(resnet50().stateShapes());
    expect(totalBytes).toBeGreaterThan(102e6);
    const server = await serve({}, file);
    const opened = await openSafetensors(server.url);
    const getter = new IntermediateLayerGetter(resnet50(), { layer2: 'c3' });
    const names = [...getter.stateShapes().keys()].filter((name) => !name.endsWith('num_batches_tracked'));
    const progress: LoadProgress[] = [];
    const tensors = await opened.load(names, { onProgress: (step) => progress.push(step) });
    const wantedBytes = [...tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
    expect(getter.loadStateDict(tensors)).toEqual({ missingKeys: [], unexpectedKeys: [] });
    expect(wantedBytes).toBeGreaterThan(5.7e6);
    expect(server.served()).toBeGreaterThanOrEqual(wantedBytes);
    // No more than the first chunk and the gaps that are read over are downloaded besides.
    expect(server.served()).toBeLessThan(wantedBytes + 2 ** 18);
    expect(server.ranges.length).toBeLessThanOrEqual(4);
    expect(progress.at(-1)).toEqual({ loadedBytes: wantedBytes, totalBytes: wantedBytes });
    expect(progress.every(({ loadedBytes }, i) => loadedBytes > (progress[i - 1]?.loadedBytes ?? 0))).toBe(true);
    const last = opened.tensors.get('layer2.3.conv3.weight')!;
    expect(tensors.get('layer2.3.conv3.weight')!.data[1]).toBe(valueAt(file.dataBegin + last.begin + 4));
  });

  it("reads no more where the getter takes the whole file's tensors strictly", async () => {
    const { file } = syntheticFile(resnet50().stateShapes());
    const server = await serve({}, file);
    const getter = new IntermediateLayerGetter(resnet50(), { layer2: 'c3' });
    let wantedBytes = 0;
    const { missingKeys, unexpectedKeys } = await getter.loadStateDictAsync(await openSafetensors(server.url), {
      onProgress: ({ totalBytes }) => {
        wantedBytes = totalBytes;
      },
    });
    expect([missingKeys, unexpectedKeys]).toEqual([[], []]);
    expect(wantedBytes).toBeLessThan(6e6);
    expect(server.served()).toBeLessThan(wantedBytes + 2 ** 18);
  });

  it('has the metadata and all tensors, in the order of their bytes', async () => {
    const server = await serve();
    const file = await openSafetensors(server.url, eager);
    expect([...file.metadata]).toEqual([['format', 'pt']]);
    expect([...file.tensors.keys()]).toEqual([...loadSafetensors(bytes).keys()]);
    expectValues(await file.load(), ['a', 'b', 'c', 'd', 'e', 'f', 'steps']);
    expectValues(await file.load(['steps', 'e', 'a', 'e']), ['a', 'e', 'steps']);
  });

  it('reads over small gaps, and leaves out large ones', async () => {
    const server = await serve();
    const file = await openSafetensors(new URL(server.url), { ...eager, maxGapBytes: 80_000 });
    await file.load(['b', 'd', 'steps']);
    const end = placeOf('d') + 80_000;
    expect(server.ranges).toEqual([
      'bytes=0-65535',
      `bytes=${placeOf('b')}-${end - 1}`,
      `bytes=${bytes.length - 4}-${bytes.length - 1}`,
    ]);
  });

  it('splits what is huge', async () => {
    const server = await serve();
    const file = await openSafetensors(server.url, { ...eager, maxReadBytes: 100_000 });
    expectValues(await file.load(['b', 'c', 'd']), ['b', 'c', 'd']);
    const begin = placeOf('b');
    expect(server.ranges.slice(1)).toEqual([
      `bytes=${begin}-${begin + 99_999}`,
      `bytes=${begin + 100_000}-${begin + 199_999}`,
      `bytes=${begin + 200_000}-${begin + 239_999}`,
    ]);
  });

  it('takes one request for a file that is smaller than what is read first', async () => {
    const small = saveSafetensors([['x', tensor([1, 2], [2])]]);
    const server = await serve({}, servedBytes(small));
    const tensors = await (await openSafetensors(server.url)).load();
    expect([...tensors.get('x')!.data]).toEqual([1, 2]);
    expect(server.ranges).toEqual(['bytes=0-65535']);
  });

  it('reads a header that is larger than what is read first', async () => {
    const large = saveSafetensors([['x', tensor([1, 2], [2])]], [['about', 'x'.repeat(200_000)]]);
    const server = await serve({}, servedBytes(large));
    const file = await openSafetensors(server.url);
    expect(file.metadata.get('about')!.length).toBe(200_000);
    expect([...(await file.load()).get('x')!.data]).toEqual([1, 2]);
    expect(server.ranges.length).toBe(3);
  });

  it('yields tensors while later ones are still under way, and ends the request with the loop', async () => {
    let closed: Promise<void> | undefined;
    const server = await serve({
      fault: ({ number, range, response }) => {
        if (number === 0) return;
        closed = new Promise((resolve) => response.once('close', resolve));
        response.writeHead(206, { 'content-range': `bytes ${range!.begin}-${range!.end - 1}/${bytes.length}` });
        response.write(bytes.subarray(range!.begin, range!.begin + 170_000));
        return true;
      },
    });
    const file = await openSafetensors(server.url, eager);
    const names: string[] = [];
    for await (const [name] of file.stream(['b', 'c', 'd'])) {
      names.push(name);
      if (name === 'c') break;
    }
    await closed;
    expect(names).toEqual(['b', 'c']);
  });

  it('reads the whole answer in order where the server does no ranges, once', async () => {
    const server = await serve({ ranges: false });
    const file = await openSafetensors(server.url, eager);
    expectValues(await file.load(['b', 'f']), ['b', 'f']);
    expect(server.ranges).toEqual(['bytes=0-65535']);
    // What lies before what is being read needs another answer.
    expectValues(await file.load(['c']), ['c']);
    expect(server.ranges).toEqual(['bytes=0-65535', undefined]);
    await file.close();
  });

  it('lets go of an answer that another one takes the place of', async () => {
    const cancelled: number[] = [];
    let asked = 0;
    const fetch = async () => {
      const number = asked++;
      let at = 0;
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          controller.enqueue(bytes.slice(at, at + 40_000));
          at += 40_000;
          if (at >= bytes.length) controller.close();
        },
        cancel: () => void cancelled.push(number),
      });
      return new Response(body, { headers: { 'content-length': String(bytes.length) } });
    };
    const origin = new HttpOrigin('f', 'https://example.com/file', { ...HTTP_DEFAULTS, fetch });
    const read = await Promise.all([0, 1].map(() => readRange(origin, 0, 1000, undefined)));
    for (const one of read) expect(Buffer.compare(one, bytes.subarray(0, 1000))).toBe(0);
    await origin.close();
    expect([asked, cancelled.sort()]).toEqual([2, [0, 1]]);
  });

  it('reads an encoded answer of another origin, which hides from a page that it is one', async () => {
    const fetch = async () => {
      // Of the encoded file.
      const response = new Response(bytes.slice(), { headers: { 'content-length': '1000' } });
      return Object.defineProperty(response, 'type', { value: 'cors' });
    };
    const file = await openSafetensors('https://example.com/file.safetensors', { ...eager, fetch });
    expectValues(await file.load(), [...file.tensors.keys()]);
  });

  it('reads the whole answer where Content-Range is hidden, as cross-origin servers may', async () => {
    const server = await serve({
      fault: ({ range, response }) => {
        if (range) response.writeHead(206).end(bytes.subarray(range.begin, range.end));
        return range !== null;
      },
    });
    const file = await openSafetensors(server.url, eager);
    expectValues(await file.load(['e']), ['e']);
    expect(server.ranges).toEqual(['bytes=0-65535', undefined]);
  });

  it('reads an answer of unknown size', async () => {
    const server = await serve({
      fault: ({ response }) => {
        response.writeHead(200);
        response.write(bytes.subarray(0, 100_000));
        response.end(bytes.subarray(100_000));
        return true;
      },
    });
    const file = await openSafetensors(server.url, eager);
    expectValues(await file.load(), [...file.tensors.keys()]);
  });

  it('goes on where an answer is cut, as often as it is told', async () => {
    const cut = (times: number, after: number): FileServerOptions => ({
      fault: ({ number, range, response }) => {
        if (number === 0 || number > times) return;
        response.writeHead(206, {
          'content-range': `bytes ${range!.begin}-${range!.end - 1}/${bytes.length}`,
          'content-length': range!.end - range!.begin,
        });
        response.write(bytes.subarray(range!.begin, range!.begin + after), () => response.destroy());
        return true;
      },
    });
    const server = await serve(cut(2, 50_000));
    const file = await openSafetensors(server.url, eager);
    expectValues(await file.load(['b', 'c', 'd']), ['b', 'c', 'd']);
    const begins = server.ranges.slice(1).map((range) => Number(/\d+/.exec(range!)));
    expect(begins[0]).toBe(placeOf('b'));
    expect(begins[1]).toBeGreaterThan(begins[0]!);
    expect(begins[2]).toBeGreaterThan(begins[1]!);

    const hopeless = await serve(cut(100, 10_000));
    const error = await thrown((await openSafetensors(hopeless.url, { ...eager, retries: 2 })).load(['f']));
    expect(error).toBeInstanceOf(NetworkError);
    expect((error as Error).message).toMatch(
      new RegExp(
        `^openSafetensors: expected the rest of ${hopeless.url}, got "(other side closed|terminated|aborted)"$`,
      ),
    );
    expect(hopeless.ranges.length).toBe(4);
  });

  it('goes on where an answer has fewer bytes than were asked for, or than it said', async () => {
    const server = await serve({
      fault: ({ number, range, response }) => {
        if (number === 0 || number > 2) return;
        const end = range!.begin + 50_000;
        response.writeHead(206, {
          'content-range': `bytes ${range!.begin}-${(number === 1 ? end : range!.end) - 1}/${bytes.length}`,
        });
        response.end(bytes.subarray(range!.begin, end));
        return true;
      },
    });
    const file = await openSafetensors(server.url, eager);
    expectValues(await file.load(['b', 'c', 'd']), ['b', 'c', 'd']);
    expect(server.ranges.length).toBe(4);
    const hopeless = await serve({
      fault: ({ number, range, response }) => {
        if (number === 0) return;
        response.writeHead(206, { 'content-range': `bytes ${range!.begin}-${range!.end - 1}/${bytes.length}` }).end();
        return true;
      },
    });
    expect(await thrown((await openSafetensors(hopeless.url, { ...eager, retries: 1 })).load(['f']))).toEqual(
      new NetworkError(
        `openSafetensors: expected ${hopeless.url} up to byte ${placeOf('f') + 80_000}, got its end at byte ` +
          `${placeOf('f')}`,
      ),
    );
  });

  it('repeats what fails twice, and what asks for it', async () => {
    for (const status of [408, 425, 429, 500, 502, 503, 504]) {
      const server = await serve({
        fault: ({ number, response }) => {
          if (number % 3 === 2) return;
          response.writeHead(status, { 'retry-after': number === 0 ? '0' : new Date(0).toUTCString() }).end();
          return true;
        },
      });
      expectValues(await (await openSafetensors(server.url, eager)).load(['d']), ['d']);
      expect(server.ranges.length).toBe(6);
    }
    const server = await serve({
      fault: ({ number, request }) => {
        if (number % 3 < 2) request.socket.destroy();
        return number % 3 < 2;
      },
    });
    expectValues(await (await openSafetensors(server.url, eager)).load(['d']), ['d']);
  });

  it.each([400, 401, 403, 404, 410, 501])('takes status %d for an answer', async (status) => {
    const server = await serve({ fault: answers(status) });
    const error = (await thrown(openSafetensors(`${server.url}?token=secret`, eager))) as NetworkError;
    expect(error).toEqual(
      new NetworkError(`openSafetensors: expected status 206 or 200 from ${server.url}, got ${status}`, { status }),
    );
    expect(error.status).toBe(status);
    expect(error.code).toBe('ERR_NETWORK');
    expect(server.ranges.length).toBe(1);
  });

  it('gives up on a server that keeps failing, and on one that isn’t there', async () => {
    const server = await serve({ fault: answers(503) });
    expect(await thrown(openSafetensors(server.url, { ...eager, retries: 4 }))).toEqual(
      new NetworkError(`openSafetensors: expected status 206 or 200 from ${server.url}, got 503`, { status: 503 }),
    );
    expect(server.ranges.length).toBe(5);
    await server.close();
    expect(((await thrown(openSafetensors(server.url, { ...eager, retries: 1 }))) as Error).message).toMatch(
      new RegExp(`^openSafetensors: expected an answer from ${server.url}, got "connect ECONNREFUSED 127.0.0.1:\\d+"$`),
    );
  });

  it('follows redirects', async () => {
    const server = await serve({
      fault: ({ request, response }) => {
        if (request.url !== '/moved') return;
        response.writeHead(302, { location: '/weights.safetensors' }).end();
        return true;
      },
    });
    const file = await openSafetensors(server.url.replace('weights.safetensors', 'moved'), eager);
    expectValues(await file.load(['d']), ['d']);
    expect(server.ranges).toEqual(Array(2).fill('bytes=0-65535').concat(Array(2).fill(server.ranges[2])));
  });

  it.each([
    [
      'another place',
      { 'content-range': `bytes 5-65540/${bytes.length}` },
      `Content-Range "bytes 5-65540/${bytes.length}"`,
    ],
    [
      'more than was asked for',
      { 'content-range': `bytes 0-70000/${bytes.length}` },
      `Content-Range "bytes 0-70000/${bytes.length}"`,
    ],
    ['a part beyond the file', { 'content-range': 'bytes 0-65535/100' }, 'Content-Range "bytes 0-65535/100"'],
    ['an end before its begin', { 'content-range': 'bytes 0-65535/0' }, 'Content-Range "bytes 0-65535/0"'],
    [
      'two lengths',
      { 'content-range': `bytes 0-65535/${bytes.length}`, 'content-length': '10' },
      `Content-Range "bytes 0-65535/${bytes.length}" of 10 bytes`,
    ],
  ])('refuses a server that says %s', async (_, headers, got) => {
    const server = await serve({
      fault: answers(206, headers, bytes.subarray(0, 10)),
    });
    expect(await thrown(openSafetensors(server.url, eager))).toEqual(
      new NetworkError(`openSafetensors: expected bytes 0-65535 from ${server.url}, got ${got}`),
    );
    expect(server.ranges.length).toBe(1);
  });

  it('refuses a part that is longer than it said', async () => {
    const server = await serve({
      fault: ({ response }) => {
        response.writeHead(206, { 'content-range': `bytes 0-65535/${bytes.length}` }).end(bytes.subarray(0, 70_000));
        return true;
      },
    });
    expect(await thrown(openSafetensors(server.url, eager))).toEqual(
      new NetworkError(`openSafetensors: expected ${server.url} to end at byte 65536, got more than its headers say`),
    );
  });

  it('refuses a file that isn’t as long as its header says', async () => {
    const dataBytes = bytes.length - HEADER_END;
    for (const [served, message] of [
      [
        Buffer.concat([bytes, Buffer.alloc(3)]),
        `safetensors: tensors end at byte ${dataBytes} of ${dataBytes + 3} behind the header`,
      ],
      [
        bytes.subarray(0, -3),
        `safetensors: the end is missing: tensors end at byte ${dataBytes} of ${dataBytes - 3} behind the header`,
      ],
    ] as const) {
      for (const ranges of [true, false]) {
        const server = await serve({ ranges }, servedBytes(served));
        expect(await thrown(openSafetensors(server.url, eager))).toEqual(new FormatError(`${server.url}: ${message}`));
      }
    }
  });

  it('refuses a file that changes between two requests', async () => {
    for (const [change, say] of [
      [(n: number) => ({ etag: `"${n}"` }), 'ETag "1" after "0"'],
      [
        (n: number) => ({ 'last-modified': new Date(n * 1000).toUTCString() }),
        'Last-Modified Thu, 01 Jan 1970 00:00:01 GMT after Thu, 01 Jan 1970 00:00:00 GMT',
      ],
    ] as const) {
      let requests = 0;
      const server = await serve({ headers: () => change(requests++) as unknown as Record<string, string> });
      const file = await openSafetensors(server.url, eager);
      const error = await thrown(file.load(['d']));
      expect(error).toEqual(
        new FileChangedError(`openSafetensors: expected the same file in each answer from ${server.url}, got ${say}`),
      );
      expect((error as FileChangedError).code).toBe('ERR_FILE_CHANGED');
      expect(server.ranges.length).toBe(2);
    }
  });

  it('refuses a file whose size changes between two requests', async () => {
    for (const [length, say] of [
      [bytes.length + 1, `size ${bytes.length + 1} after ${bytes.length}`],
      [100, `size 100 after ${bytes.length}`],
    ] as const) {
      const grown = new Uint8Array(length);
      let file = bytes as Uint8Array;
      const server = await serve(
        { headers: () => ({}) },
        {
          get byteLength() {
            return file.length;
          },
          bytes: (begin, end) => file.subarray(begin, end),
        },
      );
      const opened = await openSafetensors(server.url, eager);
      file = grown;
      expect(await thrown(opened.load(['d']))).toEqual(
        new FileChangedError(`openSafetensors: expected the same file in each answer from ${server.url}, got ${say}`),
      );
    }
  });

  it('rejects with the reason where it is aborted, before and midway', async () => {
    const reason = new Error('enough');
    const midway = new AbortController();
    const server = await serve({
      fault: ({ number, range, response }) => {
        if (number === 0) return;
        response.writeHead(206, { 'content-range': `bytes ${range!.begin}-${range!.end - 1}/${bytes.length}` });
        response.write(bytes.subarray(range!.begin, range!.begin + 90_000));
        return true;
      },
    });
    const file = await openSafetensors(server.url, eager);
    const names: string[] = [];
    const reading = (async () => {
      for await (const [name] of file.stream(['b', 'c'], { signal: midway.signal })) {
        names.push(name);
        queueMicrotask(() => midway.abort(reason));
      }
    })();
    expect(await thrown(reading)).toBe(reason);
    expect(names).toEqual(['b']);
    const before = server.ranges.length;
    expect(await thrown(openSafetensors(server.url, { signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(await thrown(file.load(['b'], { signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(server.ranges.length).toBe(before);
  });

  it('rejects with the reason where it is aborted before an answer, or in the pause before a repetition', async () => {
    for (const answers of [false, true]) {
      const controller = new AbortController();
      const reason = new Error('enough');
      const server = await serve({
        fault: ({ response }) => {
          if (answers) response.writeHead(503, { 'retry-after': '1000' }).end(() => controller.abort(reason));
          else controller.abort(reason);
          return true;
        },
      });
      expect(await thrown(openSafetensors(server.url, { signal: controller.signal }))).toBe(reason);
    }
  });

  it('is not ended by the signal of its opening', async () => {
    const controller = new AbortController();
    const server = await serve({ ranges: false });
    const file = await openSafetensors(server.url, { signal: controller.signal });
    controller.abort();
    expectValues(await file.load(['e']), ['e']);
  });

  it('uses the fetch and the headers that it is given', async () => {
    const server = await serve();
    const seen: (string | null)[] = [];
    const file = await openSafetensors('https://bucket/weights?signature=1', {
      headers: { authorization: 'Bearer x' },
      fetch: (url, init) => {
        seen.push(`${url} ${new Headers(init.headers).get('authorization')}`);
        return fetch(server.url, init);
      },
    });
    expectValues(await file.load(['e']), ['e']);
    expect(seen).toEqual(Array(2).fill('https://bucket/weights?signature=1 Bearer x'));
  });

  it('refuses what isn’t a URL', async () => {
    expect(await thrown(openSafetensors('resnet50.safetensors'))).toEqual(
      new ValueError(
        'openSafetensors: expected a URL, got "resnet50.safetensors"; open a local file and pass its FileHandle',
      ),
    );
  });
});

describe('headers of strangers', () => {
  it.each([
    ['an empty file', new Uint8Array(0), 'safetensors: expected at least 8 bytes, got 0'],
    ['seven bytes', new Uint8Array(7), 'safetensors: expected at least 8 bytes, got 7'],
    [
      'a header of 2⁶⁴ − 1 bytes',
      new Uint8Array(8).fill(255),
      'safetensors: expected a header of at most 100000000 bytes, got 18446744073709551615; is it a safetensors file?',
    ],
    [
      'a header beyond its end',
      Uint8Array.of(200, 0, 0, 0, 0, 0, 0, 0, 123),
      'safetensors: header ends at byte 208 of 9',
    ],
    [
      'a page',
      new TextEncoder().encode('<!doctype html><title>Sign in</title>'),
      'safetensors: expected a safetensors file, got an HTML or XML page; is the URL right? On Hugging Face, ' +
        'files are at /resolve/, not /blob/',
    ],
  ])('are refused: %s', async (_, content, message) => {
    for (const ranges of [true, false]) {
      const server = await serve({ ranges }, servedBytes(content));
      expect(await thrown(openSafetensors(server.url, eager))).toEqual(new FormatError(`${server.url}: ${message}`));
    }
    for (const source of [content, new Blob([content]), streamOf(content)]) {
      expect(await thrown(openSafetensors(source))).toEqual(new FormatError(message));
    }
  });

  it('allocate nothing by what they claim', async () => {
    const shape = 2 ** 45;
    const header = new TextEncoder().encode(`{"x":{"dtype":"F32","shape":[${shape}],"data_offsets":[0,${shape * 4}]}}`);
    const dataBegin = 8 + header.length;
    const content = new Uint8Array(dataBegin + 100_000);
    new DataView(content.buffer).setBigUint64(0, BigInt(header.length), true);
    content.set(header, 8);
    const file = await openSafetensors(streamOf(content));
    expect(await thrown(file.load())).toEqual(
      new FormatError(
        `safetensors: the end is missing: tensor "x" ends at byte ${dataBegin + shape * 4}, got the file's end at byte ${content.length}`,
      ),
    );
  });
});

it('a tensor of a stream is allocated as it comes, where the file’s size isn’t known', async () => {
  const claimed = 60 * 2 ** 20;
  const header = new TextEncoder().encode(`{"x":{"dtype":"U8","shape":[${claimed}],"data_offsets":[0,${claimed}]}}`);
  const head = new Uint8Array(8 + header.length + 1000);
  head[0] = header.length;
  head.set(header, 8);
  let taken = 0;
  const real = globalThis.Uint8Array;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (taken++ < 80) controller.enqueue(taken === 1 ? head : new Uint8Array(1000));
      else controller.close();
    },
  });
  const file = await openSafetensors(stream);
  const sizes: number[] = [];
  class Counted extends real {
    constructor(...args: ConstructorParameters<typeof real>) {
      super(...args);
      sizes.push(this.length);
    }
  }
  vi.stubGlobal('Uint8Array', Counted);
  try {
    expect(String(await thrown(file.load()))).toContain('the end is missing');
  } finally {
    vi.unstubAllGlobals();
  }
  expect(Math.max(...sizes)).toBe(2 ** 20);
});

describe('a large header', () => {
  const many = saveSafetensors(Array.from({ length: 20_000 }, (_, i) => [`t${i}`, tensor([], [0])] as const));
  const headerBytes = Number(new DataView(many.buffer).getBigUint64(0, true));

  it('is refused beyond a limit, before it is read', async () => {
    const reads: number[] = [];
    const read = async (begin: number, end: number) => {
      reads.push(end);
      return many.subarray(begin, end);
    };
    const source = { byteLength: many.length, read };
    expect(await thrown(openSafetensors(source, { maxHeaderBytes: 70_000 }))).toEqual(
      new FormatError(
        `safetensors: expected a header of at most 70000 bytes, got ${headerBytes}; ` +
          'openSafetensors takes up to 100000000 with maxHeaderBytes',
      ),
    );
    expect(reads).toEqual([65536]);
    expect((await openSafetensors(source, { maxHeaderBytes: headerBytes })).tensors.size).toBe(20_000);
  });

  it('is parsed in stretches, between which others have their turn, and which the signal ends', async () => {
    let turns = 0;
    const count = () => {
      turns++;
      next = setImmediate(count);
    };
    let next = setImmediate(count);
    expect([...(await openSafetensors(many)).tensors.keys()]).toEqual([...loadSafetensors(many).keys()]);
    clearImmediate(next);
    expect(turns).toBeGreaterThan(2 * Math.floor(20_000 / 2048) - 2);

    const controller = new AbortController();
    setImmediate(() => controller.abort(new Error('enough')));
    expect(await thrown(openSafetensors(many, { signal: controller.signal }))).toEqual(new Error('enough'));
  });

  it("'s tensors are read in stretches, too", async () => {
    const file = await openSafetensors(many);
    let turns = 0;
    const count = () => {
      turns++;
      next = setImmediate(count);
    };
    let next = setImmediate(count);
    expect((await file.load()).size).toBe(20_000);
    clearImmediate(next);
    expect(turns).toBeGreaterThanOrEqual(Math.floor(20_000 / 4096));

    const controller = new AbortController();
    setImmediate(() => controller.abort(new Error('enough')));
    const reading = file.load(undefined, { signal: controller.signal });
    expect(await thrown(reading)).toEqual(new Error('enough'));
  });
});

describe('other sources', () => {
  const folder = mkdtempSync(join(tmpdir(), 'layertap-'));
  const path = join(folder, 'weights.safetensors');
  afterEach(() => rmSync(path, { force: true }));

  it('are bytes, buffers, Blobs and anything that reads by place', async () => {
    const reads: [number, number][] = [];
    for (const source of [
      bytes,
      bytes.buffer,
      new Blob([bytes]),
      {
        byteLength: bytes.length,
        read: async (begin: number, end: number) => {
          reads.push([begin, end]);
          return bytes.slice(begin, end);
        },
      },
    ]) {
      const file = await openSafetensors(source, { maxGapBytes: 0 });
      expectValues(await file.load(['f', 'b']), ['b', 'f']);
      expectValues(await file.load(), [...file.tensors.keys()]);
    }
    expect(reads.slice(0, 3)).toEqual([
      [0, 65536],
      [placeOf('b'), placeOf('b') + 80_000],
      [placeOf('f'), placeOf('f') + 80_000],
    ]);
  });

  it('are file handles, which stay open', async () => {
    writeFileSync(path, bytes);
    const handle = await open(path);
    try {
      const file = await openSafetensors(handle);
      expectValues(await file.load(['f', 'b']), ['b', 'f']);
      await file.close();
      expectValues(await file.load(['c']), ['c']);
    } finally {
      await handle.close();
    }
  });

  describe('are files of which one piece is read ahead', () => {
    const MEBI = 2 ** 20;
    const names = ['a', 'b', 'c', 'd'];
    const large = saveSafetensors(
      names.map((name, i) => [name, new Tensor(new Float32Array(MEBI / 4).fill(i + 1), [MEBI / 4])]),
    );
    /** A file whose reads of what lies beyond `until` fail. */
    const handleOf = (until = large.length) => {
      const begun: number[] = [];
      const handle = {
        stat: async () => ({ size: large.length, mtimeMs: 1 }),
        async read(buffer: Uint8Array, offset: number, length: number, position: number) {
          begun.push(position);
          if (position + length > until) throw new Error('gone');
          buffer.set(large.subarray(position, position + length), offset);
          return { bytesRead: length };
        },
      };
      return { handle, begun };
    };

    it.each([false, true])('whose values stay apart, in reused memory: %s', async (isReused) => {
      const { handle } = handleOf();
      const file = await openSafetensors(handle);
      const memory = new Uint8Array(MEBI);
      let i = 0;
      for await (const [name, { data }] of file.stream(names, isReused ? { memory: () => memory } : {})) {
        expect([name, data.length]).toEqual([names[i], MEBI / 4]);
        expect(data.every((value) => value === i + 1)).toBe(true);
        i++;
      }
      expect(i).toBe(4);
    });

    it('while the one before is used, and no more than that', async () => {
      const { handle, begun } = handleOf();
      const file = await openSafetensors(handle);
      const stream = file.stream(names)[Symbol.asyncIterator]();
      await stream.next();
      const last = begun.length;
      // The first tensor ends in the first piece: the second has been begun.
      expect(begun.filter((position) => position >= MEBI).length).toBe(1);
      await stream.return?.();
      expect(begun.length).toBe(last);
    });

    it('in vain where the reader stops: then its failure is nobody’s', async () => {
      const unhandled: unknown[] = [];
      const note = (reason: unknown) => void unhandled.push(reason);
      process.on('unhandledRejection', note);
      try {
        const { handle } = handleOf(2.5 * MEBI);
        const file = await openSafetensors(handle);
        for await (const [name] of file.stream(names)) if (name === 'a') break;
        await new Promise(setImmediate);
        expect(unhandled).toEqual([]);
        expect(String(await thrown(file.load(names)))).toBe('Error: gone');
      } finally {
        process.off('unhandledRejection', note);
      }
    });
  });

  it('are streams, once from front to back', async () => {
    const file = await openSafetensors(streamOf(bytes));
    expectValues(await file.load(['b', 'c']), ['b', 'c']);
    expectValues(await file.load(['e', 'steps']), ['e', 'steps']);
    const at = bytes.length;
    expect(await thrown(file.load(['b']))).toEqual(
      new ValueError(
        `openSafetensors: expected a stream to be read once, got byte ${placeOf('b')} asked for after byte ` +
          `${at}; load all tensors at once`,
      ),
    );
  });

  it.each([
    ['a stream', () => streamOf(bytes)],
    ['a Response', () => new Response(bytes)],
  ])('are read by one at a time where they are %s: two would take each other’s pieces', async (_, source) => {
    const file = await openSafetensors(source());
    const [first, second] = await Promise.allSettled([file.load(['b', 'c']), file.load(['e', 'f'])]);
    expectValues((first as PromiseFulfilledResult<Map<string, Tensor>>).value, ['b', 'c']);
    expect(String((second as PromiseRejectedResult).reason)).toMatch(
      /^ValueError: openSafetensors: expected a stream to be read once, got byte \d+ asked for while another read is at byte \d+; load all tensors at once$/,
    );
    // Who stops early lets the others read on.
    for await (const [name] of file.stream(['d'])) expect(name).toBe('d');
    for await (const _ of file.stream(['e'])) break;
    expectValues(await file.load(['f']), ['f']);
  });

  it('refuse a stream that ends early or goes on', async () => {
    const short = await openSafetensors(streamOf(bytes.subarray(0, -1)));
    expect(await thrown(short.load())).toEqual(
      new FormatError(
        `safetensors: the end is missing: tensor "steps" ends at byte ${bytes.length}, got the file's end at byte ${bytes.length - 1}`,
      ),
    );
    const long = await openSafetensors(streamOf(Buffer.concat([bytes, Buffer.alloc(1)])));
    expect(await thrown(long.load())).toEqual(
      new FormatError(`safetensors: tensors end at byte ${bytes.length}, got more bytes after them`),
    );
  });

  it('refuse a file that changes on the disk', async () => {
    writeFileSync(path, bytes);
    const handle = await open(path);
    try {
      await utimes(path, 1, 1);
      const file = await openSafetensors(handle);
      await utimes(path, 2, 2);
      const before = `${bytes.length} bytes changed at 1970-01-01T00:00:01.000Z`;
      expect(await thrown(file.load(['b']))).toEqual(
        new FileChangedError(`openSafetensors: expected a file of ${before}, got ${before.replace('01.', '02.')}`),
      );
    } finally {
      await handle.close();
    }
    const changed = new DOMException('The file changed', 'NotReadableError');
    const blob = {
      size: bytes.length,
      slice: (): unknown => ({ arrayBuffer: () => Promise.reject(changed) }),
      arrayBuffer() {},
    };
    expect(await thrown(openSafetensors(blob as never))).toEqual(
      new FileChangedError('openSafetensors: expected a file as it was when it was opened, got another'),
    );
  });

  it('refuse reads of another length than asked for, and pieces that aren’t bytes', async () => {
    const source = { byteLength: bytes.length, read: async () => new Uint8Array(3) };
    expect(await thrown(openSafetensors(source))).toEqual(
      new FormatError('openSafetensors: expected 65536 bytes from byte 0, got 3'),
    );
    const text = new ReadableStream({ start: (controller) => controller.enqueue('text') });
    expect(await thrown(openSafetensors(text))).toEqual(
      new ValueError('openSafetensors: expected a stream of Uint8Arrays, got "text"'),
    );
    const other = { byteLength: 65536, read: async () => 'text' as never };
    expect(await thrown(openSafetensors(other))).toEqual(
      new ValueError('openSafetensors: expected read() to give a Uint8Array, got "text"'),
    );
    const taken = streamOf(bytes);
    taken.getReader();
    expect(await thrown(openSafetensors(taken))).toEqual(
      new ValueError('openSafetensors: expected a stream to read, got one that is read already'),
    );
  });

  it('refuse a Response that is a refusal, a part, or empty', async () => {
    for (const status of [404, 206]) {
      const error = await thrown(openSafetensors(new Response(bytes.slice(), { status })));
      expect(error).toEqual(
        new NetworkError(`openSafetensors: expected a Response of status 200, got ${status}`, { status }),
      );
    }
    expect(await thrown(openSafetensors(new Response(null)))).toEqual(
      new FormatError('safetensors: expected at least 8 bytes, got 0'),
    );
    const server = await serve({}, servedBytes(bytes.subarray(0, 100)));
    const cut = (await thrown(openSafetensors(await fetch(`${server.url}?token=secret`)))) as Error;
    expect(cut.message).toMatch(new RegExp(`^${server.url}: safetensors: header ends at byte \\d+ of 100$`));
  });

  it('refuse what is none of them', async () => {
    for (const [source, kind] of [
      [42, '42'],
      [null, 'null'],
      [undefined, 'undefined'],
      [{ read() {} }, '{ read }; open it with openSafetensors'],
      [Promise.resolve(bytes), 'a Promise that was not awaited; await it first'],
      [await openSafetensors(bytes), 'a TensorReader; it is open already: await its load()'],
    ] as const) {
      expect(await thrown(openSafetensors(source as never))).toEqual(
        new ValueError(
          'openSafetensors: expected a URL, Response, Blob, Uint8Array, FileHandle, ReadableStream or ' +
            `{ byteLength, read }, got ${kind}`,
        ),
      );
    }
    expect(await thrown(openSafetensors({ byteLength: -1, read: async () => bytes }))).toEqual(
      new ValueError('openSafetensors: expected a byteLength that is a whole number >= 0, got -1'),
    );
    const detached = bytes.slice();
    structuredClone(detached, { transfer: [detached.buffer] });
    for (const [source, kind] of [
      [detached, 'Uint8Array'],
      [detached.buffer, 'ArrayBuffer'],
    ] as const) {
      expect(await thrown(openSafetensors(source))).toEqual(
        new ValueError(`openSafetensors: expected bytes, got a detached ${kind}; pass a copy to what took it`),
      );
    }
  });

  it.each([
    [{ maxReadBytes: 0 }, 'maxReadBytes to be a whole number >= 1, got 0'],
    [{ maxGapBytes: 0.5 }, 'maxGapBytes to be a whole number >= 0, got 0.5'],
    [{ maxHeaderBytes: '1' }, 'maxHeaderBytes to be a whole number >= 2, got "1"'],
    [{ retries: -1 }, 'retries to be a whole number >= 0, got -1'],
    [{ retryDelayMs: Number.NaN }, 'retryDelayMs as a number from 0 to 2147483647, got NaN'],
    [{ retryDelayMs: Infinity }, 'retryDelayMs as a number from 0 to 2147483647, got Infinity'],
    [{ stallTimeoutMs: 2 ** 31 }, 'stallTimeoutMs as a number from 1 to 2147483647, or Infinity, got 2147483648'],
    [{ stallTimeoutMs: '9' }, 'stallTimeoutMs as a number from 1 to 2147483647, or Infinity, got "9"'],
    [{ fetch: 'node-fetch' }, 'fetch as a function, got "node-fetch"'],
    [{ signal: new AbortController() }, 'signal as an AbortSignal, got an AbortController'],
    [
      { gap: 1 },
      'options of signal, maxGapBytes, maxReadBytes, maxHeaderBytes, fetch, headers, retries, retryDelayMs, ' +
        'stallTimeoutMs, got "gap"',
    ],
  ])('refuse options that are unknown or out of range: %o', async (options, message) => {
    expect(await thrown(openSafetensors(bytes, options as never))).toEqual(
      new ValueError(`openSafetensors: expected ${message}`),
    );
  });

  it('refuse names and options of reading that are none', async () => {
    const file = await openSafetensors(bytes);
    for (const [read, message] of [
      [() => file.load('a'), `tensors' names in a list, got "a"; pass ["a"]`],
      [() => file.load(5 as never), "tensors' names in a list, got 5"],
      [() => file.load(['a'], { signal: 'now' } as never), 'signal as an AbortSignal, got "now"'],
      [() => file.load(['a'], { onProgress: 1 } as never), 'onProgress as a function, got 1'],
      [() => file.load(['a'], { memory: 1 } as never), 'memory as a function, got 1'],
    ] as const) {
      expect(await thrown(read())).toEqual(new ValueError(`openSafetensors: expected ${message}`));
    }
    expect(await thrown(file.load(['a'], { progress: 1 } as never))).toEqual(
      new ValueError('openSafetensors: reading: expected options of signal, onProgress, memory, got "progress"'),
    );
    expect(await thrown(file.load([undefined, 'zz'] as never))).toEqual(
      new KeyError('openSafetensors: expected tensors of "a", "b", "c", "d", "e", "f", "steps", got undefined, "zz"'),
    );
  });
});

describe('names', () => {
  it('that the file lacks are all told, before anything is read', async () => {
    const server = await serve();
    const file = await openSafetensors(server.url, eager);
    expect(await thrown(file.load(['x', 'a', 'y']))).toEqual(
      new KeyError('openSafetensors: expected tensors of "a", "b", "c", "d", "e", "f", "steps", got "x", "y"'),
    );
    expect(server.ranges.length).toBe(1);
  });

  it('of dtypes that layertap lacks are told before anything is read', async () => {
    const header = new TextEncoder().encode('{"x":{"dtype":"U64","shape":[1],"data_offsets":[0,8]}}');
    const content = new Uint8Array(8 + header.length + 8);
    content[0] = header.length;
    content.set(header, 8);
    const file = await openSafetensors(content);
    expect(await thrown(file.load())).toEqual(
      new FormatError(
        'safetensors: tensor "x": expected a dtype of BOOL, U8, I8, I16, F16, BF16, I32, F32, F64, I64, got U64',
      ),
    );
  });

  it('may be none', async () => {
    const file = await openSafetensors(bytes);
    expect((await file.load([])).size).toBe(0);
  });
});

describe('reads', () => {
  const ranges = fc.array(fc.tuple(fc.nat(300), fc.nat(500)), { maxLength: 30 }).map((steps) => {
    let at = 0;
    return steps.map(([gap, length]) => {
      const begin = at + gap;
      at = begin + length;
      return { begin, end: at };
    });
  });

  it('cover exactly what is asked for, and gaps that are small enough', () => {
    fc.assert(
      fc.property(ranges, fc.nat(300), fc.integer({ min: 1, max: 2000 }), (wanted, maxGapBytes, maxReadBytes) => {
        const reads = [...coalesceRanges(wanted, { maxGapBytes, maxReadBytes })];
        const isWanted = (at: number) => wanted.some(({ begin, end }) => at >= begin && at < end);
        const isRead = (at: number) => reads.some(({ begin, end }) => at >= begin && at < end);
        const last = wanted.at(-1)?.end ?? 0;
        for (let at = 0, gap = 0; at < last; at++) {
          gap = isWanted(at) ? 0 : gap + 1;
          if (isWanted(at)) expect(isRead(at)).toBe(true);
          else if (isRead(at)) expect(gap).toBeLessThanOrEqual(maxGapBytes);
        }
        let end = 0;
        for (const read of reads) {
          expect(read.begin).toBeGreaterThanOrEqual(end);
          expect(read.end - read.begin).toBeGreaterThan(0);
          expect(read.end - read.begin).toBeLessThanOrEqual(maxReadBytes);
          expect(isWanted(read.begin) && isWanted(read.end - 1)).toBe(true);
          end = read.end;
        }
        expect(end).toBe(wanted.reduce((last, range) => (range.begin < range.end ? range.end : last), 0));
      }),
      { seed: SEED, numRuns: 200 },
    );
  });

  it('give the tensors of any names, however they are cut', async () => {
    const sizes = fc.array(fc.tuple(fc.nat(9000), fc.boolean()), { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(
        sizes,
        fc.nat(5000),
        fc.integer({ min: 1, max: 30_000 }),
        fc.integer({ min: 1, max: 50_000 }),
        fc.boolean(),
        async (tensors, maxGapBytes, maxReadBytes, pieceBytes, streams) => {
          const content = saveSafetensors(
            tensors.map(([length], n) => [
              `t${n}`,
              new Tensor(
                Uint8Array.from({ length }, (_, i) => n + 7 * i),
                [length],
                'uint8',
              ),
            ]),
            [],
            { sorted: false },
          );
          const source = streams
            ? streamOf(content, pieceBytes)
            : { byteLength: content.length, read: async (begin: number, end: number) => content.slice(begin, end) };
          const file = await openSafetensors(source, { maxGapBytes, maxReadBytes });
          const names = tensors.flatMap(([, wanted], n) => (wanted ? [`t${n}`] : []));
          const loaded = await file.load(names);
          const expected = loadSafetensors(content);
          expect(new Set(loaded.keys())).toEqual(new Set(names));
          for (const [name, { data }] of loaded) expect(data).toEqual(expected.get(name)!.data);
        },
      ),
      { seed: SEED, numRuns: 100 },
    );
  });
});

/** The float32 at a place of a synthetic file's data. */
const TILE = Float32Array.from({ length: 2 ** 16 }, (_, i) => Math.sin(i));
const TILE_BYTES = new Uint8Array(TILE.buffer);
const valueAt = (at: number) => TILE[(at / 4) % TILE.length]!;

/**
 * A float32 state dict of the given shapes, written as the reference implementation does; its data is made when it is
 * asked for.
 */
function syntheticFile(shapes: ReadonlyMap<string, readonly number[]>) {
  let totalBytes = 0;
  const members = [...shapes]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, shape]) => {
      const begin = totalBytes;
      totalBytes += 4 * shape.reduce((a, b) => a * b, 1);
      return `${JSON.stringify(name)}:${JSON.stringify({ dtype: 'F32', shape, data_offsets: [begin, totalBytes] })}`;
    });
  const json = new TextEncoder().encode(`{${members.join(',')}}`);
  const dataBegin = 8 + Math.ceil(json.length / 8) * 8;
  const head = new Uint8Array(dataBegin).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(dataBegin - 8), true);
  head.set(json, 8);
  const file = {
    dataBegin,
    byteLength: dataBegin + totalBytes,
    bytes(begin: number, end: number) {
      const out = new Uint8Array(end - begin);
      for (let at = begin; at < end; ) {
        const from = at < dataBegin ? at : at % TILE_BYTES.length;
        const part = (at < dataBegin ? head : TILE_BYTES).subarray(from, from + end - at);
        out.set(part, at - begin);
        at += part.length;
      }
      return out;
    },
  };
  return { file, totalBytes };
}
