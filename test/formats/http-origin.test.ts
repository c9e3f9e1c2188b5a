/**
 * What a server may do to who reads from it: secrets stay out of messages, headers with their origin, and no wait is
 * without end.
 */

import { inspect } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { FileChangedError, NetworkError, ValueError } from '../../src/errors.ts';
import { type OpenSafetensorsOptions, openSafetensors } from '../../src/formats/open-safetensors.ts';
import { saveSafetensors } from '../../src/formats/safetensors-write.ts';
import { Tensor } from '../../src/tensor/tensor.ts';
import { type Fault, type FileServer, type FileServerOptions, servedBytes, serveFile } from '../support/file-server.ts';

/** Larger than what is read first, so that each tensor takes a request of its own. */
const SIZE = 40_000;
const values = (n: number) => Float32Array.from({ length: SIZE }, (_, i) => n + i / SIZE);
const bytes = saveSafetensors(['a', 'b', 'c'].map((name, n) => [name, new Tensor(values(n), [SIZE])] as const));

const servers: FileServer[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const server of servers.splice(0)) await server.close();
});

async function serve(options: FileServerOptions = {}): Promise<FileServer> {
  const server = await serveFile(servedBytes(bytes), options);
  servers.push(server);
  return server;
}

async function thrown(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing thrown');
}

const eager = { retries: 0, retryDelayMs: 0 };

/** An answer to a range request for `bytes`. */
function part(range: string | null, headers: Record<string, string> = {}, of = bytes): Response {
  const [, begin, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '')!.map(Number) as [number, number, number];
  const end = Math.min(last + 1, of.length);
  const own = { 'content-range': `bytes ${begin}-${end - 1}/${of.length}` };
  return new Response(of.slice(begin, end), { status: 206, headers: { ...own, ...headers } });
}

describe('secrets', () => {
  const SECRETS = ['hunter2', 'TOPSECRET', 'SESAME'];
  const URL_WITH_TOKEN = 'http://127.0.0.1:9/w.safetensors?token=TOPSECRET#SESAME';
  const fails = (error: unknown): OpenSafetensorsOptions => ({ ...eager, fetch: () => Promise.reject(error) });

  const scenes: readonly (readonly [string, string, OpenSafetensorsOptions, string])[] = [
    [
      'a user and a password',
      'http://me:hunter2@127.0.0.1:9/w.safetensors?token=TOPSECRET',
      eager,
      'expected a URL without user and password, as fetch takes it, got http://127.0.0.1:9/w.safetensors with them; ' +
        'pass headers: { authorization } instead',
    ],
    ['a URL that is none', 'me:hunter2@host/w.safetensors?token=TOPSECRET', eager, 'expected an answer from me:…'],
    [
      'a URL that is none, with slashes',
      '//me:hunter2@host/w.safetensors?token=TOPSECRET',
      eager,
      'expected a URL, got "…@host/w.safetensors"; open a local file and pass its FileHandle',
    ],
    [
      'a path',
      'C:\\weights\\w.safetensors?SESAME',
      eager,
      'expected a URL, got "C:\\\\weights\\\\w.safetensors"; open a local file and pass its FileHandle',
    ],
    [
      'a host that writes the URL into its error',
      URL_WITH_TOKEN,
      fails(new TypeError(`error sending request for url (${URL_WITH_TOKEN}): connection refused`)),
      'expected an answer from http://127.0.0.1:9/w.safetensors, got "error sending request for url ' +
        '(http://127.0.0.1:9/w.safetensors',
    ],
    [
      'a host that writes it into a property of a cause',
      URL_WITH_TOKEN,
      fails(
        new TypeError('fetch failed', { cause: Object.assign(new Error('Invalid URL'), { input: URL_WITH_TOKEN }) }),
      ),
      'expected an answer from http://127.0.0.1:9/w.safetensors, got "Invalid URL"',
    ],
    [
      'a host that writes the query and a header',
      URL_WITH_TOKEN,
      { ...fails(new Error('GET /w?token=TOPSECRET with Bearer SESAME')), headers: { authorization: 'Bearer SESAME' } },
      'expected an answer from http://127.0.0.1:9/w.safetensors, got "GET /w… with …"',
    ],
    [
      'headers that are none',
      URL_WITH_TOKEN,
      { ...eager, headers: { authorization: 'Bearer SESAME\n' + 'x\ny' } },
      'expected headers as fetch takes them, got names or values that it refuses',
    ],
    [
      'an address that a redirect leads to',
      URL_WITH_TOKEN,
      {
        ...eager,
        headers: { 'x-key': 'SESAME' },
        fetch: async () => new Response(null, { status: 302, headers: { location: 'ftp://me:hunter2@h/?TOPSECRET' } }),
      },
      'expected at most 20 redirects to HTTP addresses from http://127.0.0.1:9/w.safetensors, got one that ' +
        'leads elsewhere',
    ],
    [
      'a status',
      URL_WITH_TOKEN,
      { ...eager, fetch: async () => new Response('', { status: 403 }) },
      'expected status 206 or 200 from http://127.0.0.1:9/w.safetensors, got 403',
    ],
  ];

  it.each(scenes)('stay out of messages and causes: %s', async (_, url, options, message) => {
    const error = await thrown(openSafetensors(url, options));
    expect(error.message).toContain(`openSafetensors: ${message}`);
    for (const secret of SECRETS) {
      expect(inspect(error, { depth: 9, showHidden: true }).replaceAll(import.meta.url, '')).not.toContain(secret);
      expect(error.stack).not.toContain(secret);
    }
  });

  it('that are none leave the host’s own error as the cause', async () => {
    const cause = new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') });
    const error = await thrown(openSafetensors(URL_WITH_TOKEN, fails(cause)));
    expect(error.cause).toBe(cause);
    expect(error.message).toMatch(/got "connect ECONNREFUSED"$/);
  });
});

describe('a file that changes', () => {
  /** Answers one after another: the headers of each, and from which on the file is another one. */
  const answers = (headers: readonly Record<string, string>[]) => {
    let n = 0;
    return (_: string, init: RequestInit) => {
      const own = headers[Math.min(n++, headers.length - 1)]!;
      return Promise.resolve(part(new Headers(init.headers).get('range'), own));
    };
  };
  const A = 'Sat, 01 Jan 2000 00:00:00 GMT';
  const B = 'Sun, 02 Jan 2000 00:00:00 GMT';

  it.each([
    ['the first answer has no ETag', [{}, { etag: '"1"' }, { etag: '"2"' }], 'ETag "2" after "1"'],
    [
      'the first answer has no date',
      [{}, { 'last-modified': A }, { 'last-modified': B }],
      `Last-Modified ${B} after ${A}`,
    ],
    ['an answer between has no ETag', [{ etag: '"1"' }, {}, { etag: '"2"' }], 'ETag "2" after "1"'],
    [
      'one has a date, another an ETag',
      [{ etag: '"1"' }, { 'last-modified': A }, { 'last-modified': B }],
      `Last-Modified ${B} after ${A}`,
    ],
  ])('is noticed where %s', async (_, headers, got) => {
    const file = await openSafetensors('http://host/w', { ...eager, fetch: answers(headers as never), maxGapBytes: 0 });
    await file.load(['b']);
    expect(await thrown(file.load(['c']))).toEqual(
      new FileChangedError(`openSafetensors: expected the same file in each answer from http://host/w, got ${got}`),
    );
  });

  it('is told in a short message, whatever the server calls it', async () => {
    const fetch = answers([{ etag: '"1"' }, { etag: `"${'x'.repeat(9000)}"` }]);
    const { message } = await thrown((await openSafetensors('http://host/w', { ...eager, fetch })).load());
    expect(message.length).toBeLessThan(400);
  });
});

describe('a server that stalls', () => {
  const URL = 'http://host/w';
  const limit = { ...eager, stallTimeoutMs: 100 };

  /** Lets time pass, which is the test's own, until the promise settles. */
  async function inTime<T>(start: () => Promise<T>): Promise<T> {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    let isSettled = false;
    const promise = start().finally(() => {
      isSettled = true;
    });
    promise.catch(() => {});
    for (let i = 0; i < 1000 && !isSettled; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (!isSettled && i % 10 === 9) await vi.advanceTimersByTimeAsync(100);
    }
    expect(isSettled).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
    return promise;
  }

  /** A part of which so many bytes come, and then neither more nor an end. */
  const stalling = (range: string | null, comes: number): Response => {
    const whole = part(range);
    const [, begin, last] = /^bytes=(\d+)-(\d+)$/.exec(range!)!.map(Number) as [number, number, number];
    const start = (controller: ReadableStreamDefaultController) =>
      controller.enqueue(bytes.slice(begin, Math.min(begin + comes, last + 1)));
    return new Response(new ReadableStream({ start }), { status: 206, headers: whole.headers });
  };
  const rangeOf = ({ headers }: RequestInit) => new Headers(headers).get('range');

  it('before it answers is given up after a while', async () => {
    const fetch = () => new Promise<never>(() => {});
    expect(await inTime(() => thrown(openSafetensors(URL, { ...limit, fetch })))).toEqual(
      new NetworkError(`openSafetensors: expected an answer from ${URL}, got nothing for 100 ms`),
    );
  });

  it('in the midst of its answer is given up after a while', async () => {
    const fetch = async (_: string, init: RequestInit) => stalling(rangeOf(init), 1000);
    expect(await inTime(() => thrown(openSafetensors(URL, { ...limit, fetch })))).toEqual(
      new NetworkError(`openSafetensors: expected the rest of ${URL}, got nothing for 100 ms`),
    );
  });

  it('is asked again for what is missing', async () => {
    const asked: unknown[] = [];
    const fetch = async (_: string, init: RequestInit) => {
      const number = asked.push(rangeOf(init));
      return number === 1
        ? stalling(rangeOf(init), 1000)
        : number === 2
          ? new Promise<never>(() => {})
          : part(rangeOf(init));
    };
    const file = await inTime(() => openSafetensors(URL, { ...limit, retries: 2, fetch }));
    expect((await inTime(() => file.load(['c']))).get('c')!.data).toEqual(values(2));
    expect(asked.slice(0, 3)).toEqual(['bytes=0-65535', 'bytes=1000-65535', 'bytes=1000-65535']);
  });

  it('after all that was asked for is not waited for any longer', async () => {
    const fetch = async (_: string, init: RequestInit) => stalling(rangeOf(init), Infinity);
    const file = await inTime(() => openSafetensors(URL, { ...limit, fetch }));
    expect((await inTime(() => file.load(['b']))).get('b')!.data).toEqual(values(1));
  });

  it('is given up by who waits, whatever its fetch does', async () => {
    const controller = new AbortController();
    const reading = openSafetensors(URL, {
      fetch: () => {
        controller.abort(new Error('enough'));
        return new Promise(() => {});
      },
      signal: controller.signal,
    });
    expect(await thrown(reading)).toEqual(new Error('enough'));
  });

  it('is not who reads slowly: the time between two pieces counts only while they are waited for', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const fetch = (_: string, init: RequestInit) => Promise.resolve(part(new Headers(init.headers).get('range')));
    const file = await openSafetensors(URL, { ...limit, fetch });
    const names: string[] = [];
    for await (const [name] of file.stream(['a', 'b', 'c'])) {
      names.push(name);
      vi.advanceTimersByTime(3_600_000);
    }
    expect(names).toEqual(['a', 'b', 'c']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is waited for half a minute unless told otherwise, and without an end where that is asked for', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const fetch = () => new Promise<never>(() => {});
    const reading = thrown(openSafetensors('http://host/w', { ...eager, fetch }));
    await vi.advanceTimersByTimeAsync(29_999);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect((await reading).message).toBe(
      'openSafetensors: expected an answer from http://host/w, got nothing for 30000 ms',
    );
    void openSafetensors('http://host/w', { ...eager, fetch, stallTimeoutMs: Infinity }).catch(() => {});
    await vi.advanceTimersByTimeAsync(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('headers of the caller', () => {
  const KEYS = { authorization: 'Bearer x', 'x-api-key': 'key' };
  /** A server that leads to `target`, and what each server was sent. */
  const keysOf = (seen: unknown[], name: string, lead: () => string | undefined): Fault => {
    return ({ request, response }) => {
      seen.push([name, request.headers.authorization ?? null, request.headers['x-api-key'] ?? null]);
      const target = lead();
      if (target === undefined) return;
      response.writeHead(302, { location: target }).end();
      return true;
    };
  };

  it('stay with the origin that they were given for, and are not sent once a redirect has left it', async () => {
    const seen: unknown[] = [];
    let isBack = false;
    const other: FileServer = await serve({
      fault: keysOf(seen, 'other', () => {
        if (isBack) return;
        isBack = true;
        return `${first.url}?back`;
      }),
    });
    let lead: string | undefined = other.url;
    const first: FileServer = await serve({
      fault: keysOf(seen, 'first', () => {
        const target = lead;
        lead = undefined;
        return target;
      }),
    });
    await openSafetensors(first.url, { ...eager, headers: KEYS });
    expect(seen).toEqual([
      ['first', 'Bearer x', 'key'],
      ['other', null, null],
      ['first', null, null],
    ]);
  });

  it('follow a redirect within the origin', async () => {
    const seen: unknown[] = [];
    let lead: string | undefined = '/elsewhere';
    const server = await serve({
      fault: keysOf(seen, 'first', () => {
        const target = lead;
        lead = undefined;
        return target;
      }),
    });
    const file = await openSafetensors(server.url, { ...eager, headers: KEYS });
    expect([...file.tensors.keys()]).toEqual(['a', 'b', 'c']);
    expect(seen).toEqual([
      ['first', 'Bearer x', 'key'],
      ['first', 'Bearer x', 'key'],
    ]);
    expect(server.ranges).toEqual(['bytes=0-65535', 'bytes=0-65535']);
  });

  it.each(['file:///etc/passwd', 'data:,x', 'http://me:pw@127.0.0.1/', 'http://['])(
    'make no redirect lead to what is no HTTP address: %s',
    async (location) => {
      const server = await serve({
        fault: ({ response }) => {
          response.writeHead(307, { location }).end();
          return true;
        },
      });
      expect(await thrown(openSafetensors(server.url, { ...eager, headers: KEYS }))).toEqual(
        new NetworkError(
          `openSafetensors: expected at most 20 redirects to HTTP addresses from ${server.url}, got one that ` +
            'leads elsewhere',
        ),
      );
    },
  );

  it('make no redirect go in circles', async () => {
    const server = await serve({
      fault: ({ response }) => {
        response.writeHead(308, { location: '/again' }).end();
        return true;
      },
    });
    expect(await thrown(openSafetensors(server.url, { ...eager, headers: KEYS }))).toEqual(
      new NetworkError(`openSafetensors: expected at most 20 redirects to HTTP addresses from ${server.url}, got 21`),
    );
    expect(server.ranges).toHaveLength(21);
  });

  it('keep a page, which can’t see where a redirect leads, from following it', async () => {
    const asked: unknown[] = [];
    const fetch = async (_: string, { redirect, headers }: RequestInit) => {
      asked.push(redirect);
      if (redirect === 'follow') return part(new Headers(headers).get('range'));
      return Object.defineProperties(new Response(null), { type: { value: 'opaqueredirect' }, status: { value: 0 } });
    };
    expect(await thrown(openSafetensors('http://host/w', { ...eager, fetch, headers: KEYS }))).toEqual(
      new NetworkError(
        "openSafetensors: expected an answer from http://host/w, got a redirect, which a page can't follow with headers; " +
          'open the address that it leads to',
      ),
    );
    // A page's fetch itself keeps this one from another origin.
    await openSafetensors('http://host/w', { ...eager, fetch, headers: { authorization: 'Bearer x' } });
    await openSafetensors('http://host/w', { ...eager, fetch });
    expect(asked).toEqual(['manual', 'manual', 'follow', 'follow']);
  });
});

describe('a URL that fetch can’t take', () => {
  it('is told with the way to open a local file, at once', async () => {
    let asked = 0;
    const fetch = async () => {
      asked++;
      throw new Error('not implemented... yet...');
    };
    expect(await thrown(openSafetensors(new URL('file:///tmp/w.safetensors'), { fetch }))).toEqual(
      new NetworkError(
        'openSafetensors: expected an answer from file:/tmp/w.safetensors, got "not implemented... yet..."; ' +
          'open a local file and pass its FileHandle',
      ),
    );
    expect(asked).toBe(1);
  });

  it('is told from a fetch that gives no answer', async () => {
    const fetch = async () => undefined as never;
    expect(await thrown(openSafetensors('http://host/w', { fetch }))).toEqual(
      new ValueError('openSafetensors: expected fetch to give a Response, got undefined'),
    );
  });
});
