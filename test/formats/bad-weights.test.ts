/** Attacks on readers of weights, by hand, each with the message that it ends in: nothing is half-loaded. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import { pthLegacy, pthZip } from '../../scripts/pth.mjs';
import { BatchNorm2d, loadWeights, openWeights } from '../../src/index.ts';
import { type Asked, type FileServerOptions, servedBytes, serveFile } from '../support/file-server.ts';
import {
  bytesOf,
  call,
  dict,
  global,
  int,
  legacyWith,
  pickle,
  pickledTensor,
  text,
  tuple,
  u32,
  zipWith,
} from '../support/pickle.ts';
import { rejection } from '../support/thrown.ts';
import { type Entry, zipOf } from '../support/zip.ts';

const state = dict({ w: pickledTensor() });
const floats = new Uint8Array(Float32Array.of(1, 2).buffer);
const entries = (change: Partial<Entry> = {}, object = state): Entry[] => [
  { name: 'a/data.pkl', content: bytesOf(pickle(object)) },
  { name: 'a/data/0', content: floats, ...change },
];
/** What loading all of a file ends in, without the class and the format, which are the same for all. */
const problem = async (bytes: Uint8Array) => {
  const error = await rejection(() => loadWeights(bytes));
  expect(error).toMatch(/^FormatError: pth: /);
  return error.replace('FormatError: pth: ', '');
};

describe('zip files', () => {
  const good = zipOf(entries());

  it('that are cut in their end record, which tells how long they were', async () => {
    for (const missing of [1, 10, 18]) {
      const bytes = good.subarray(0, good.length - missing);
      expect(await problem(bytes)).toBe(`the end is missing: ${bytes.length} of ${good.length} bytes`);
    }
  });

  it('that are cut before it: the storages that the pickle names tell how long they were at least', async () => {
    // One hundred floats, of which the pickle knows.
    const long = zipOf(entries({ content: new Uint8Array(400) }, dict({ w: pickledTensor({ count: 100 }) })));
    const begin = Buffer.from(long).indexOf('a/data.pkl') + 'a/data.pkl'.length;
    const least = Buffer.from(long).indexOf('PK', begin) + 400;
    for (const length of [least - 100, least - 1, Buffer.from(long).indexOf('a/data/0') + 8]) {
      expect(await problem(long.subarray(0, length))).toBe(
        `the end is missing: ${length} of at least ${Math.max(least, length + 22)} bytes`,
      );
    }
    // In the directory, in the pickle, and before it.
    for (const length of [least + 60, begin + 20, begin - 5, 4]) {
      expect(await problem(long.subarray(0, length))).toBe(
        `the end is missing: ${length} of at least ${length + 22} bytes`,
      );
    }
  });

  it('with a pickle that is longer than what is read at first, cut: from memory, a server, and a stream', async () => {
    const names = Array.from({ length: 600 }, (_, i) => `${'layer.'.repeat(20)}${i}`);
    const whole = Buffer.concat(
      pthZip(new Map(names.map((name) => [name, { dtype: 'float32', shape: [256], bytes: new Uint8Array(1024) }]))),
    );
    const pickleEnd = whole.indexOf('PK', 4);
    expect(pickleEnd).toBeGreaterThan(64 * 2 ** 10);
    const cut = whole.subarray(0, 500_000);
    const message = `the end is missing: 500000 of at least ${pickleEnd + 600 * 1024} bytes`;
    await using server = await serveFile(servedBytes(cut));
    await using plain = await serveFile(servedBytes(cut), { ranges: false });
    for (const [source, file] of [
      [new Uint8Array(cut), ''],
      [new Blob([new Uint8Array(cut)]).stream(), ''],
      [server.url, `${server.url}: `],
      [plain.url, `${plain.url}: `],
    ] as const) {
      expect(await rejection(() => openWeights(source))).toBe(`FormatError: ${file}pth: ${message}`);
    }
  });

  it('with bytes behind their end are read, as in PyTorch', async () => {
    for (const extra of [1, 5, 22, 1000]) {
      const bytes = Buffer.concat([good, new Uint8Array(extra)]);
      expect(await loadWeights(new Uint8Array(bytes)), String(extra)).toEqual(await loadWeights(new Uint8Array(good)));
    }
    const far = Buffer.concat([good, new Uint8Array(70_000)]);
    expect(await problem(far)).toBe(`the end is missing: ${far.length} of at least ${far.length + 22} bytes`);
  });

  it('with a wrong checksum', async () => {
    const begin = Buffer.from(good).indexOf('a/data/0') - 30;
    expect(await problem(zipOf(entries({ crc: 1 })))).toBe(
      `expected "a/data/0" at byte ${begin} with checksum 1, got ${crc32(floats).toString(16)}`,
    );
    await using server = await serveFile(servedBytes(zipOf(entries({ crc: 1 }))));
    const file = await openWeights(server.url);
    expect(await rejection(() => file.load())).toBe(
      `FormatError: ${server.url}: pth: expected "a/data/0" at byte ${begin} with checksum 1, got ${crc32(floats).toString(16)}`,
    );
  });

  it('whose entries overlap', async () => {
    const begin = 30 + 'a/data.pkl'.length + bytesOf(pickle(state)).length;
    const bytes = zipOf([...entries(), { name: 'a/data/1', content: floats }]);
    const listing = Buffer.from(bytes.buffer);
    // The last entry of the directory is where the second one is.
    listing.writeUInt32LE(begin, listing.lastIndexOf('PK\x01\x02') + 42);
    expect(await problem(bytes)).toBe(
      `expected the end of "a/data/0" before byte ${begin}, got 8 bytes from byte ${begin} on`,
    );
  });

  it('whose directory lies about sizes', async () => {
    expect(await problem(zipOf(entries({ bytes: 9 })))).toBe(
      'expected "a/data/0" stored or deflated, got method 0 and 8 bytes of 9',
    );
    const begin = 30 + 'a/data.pkl'.length + bytesOf(pickle(state)).length;
    expect(await problem(zipOf(entries({ bytes: 99, packedBytes: 99 })))).toBe(
      `expected the end of "a/data/0" before byte ${begin + 46}, got 99 bytes from byte ${begin} on`,
    );
    const bytes = zipOf(entries());
    const end = Buffer.from(bytes.buffer).lastIndexOf('PK\x05\x06');
    const directory = Buffer.from(bytes.buffer).indexOf('PK\x01\x02');
    new DataView(bytes.buffer).setUint32(end + 12, 100, true);
    expect(await problem(bytes)).toBe(`expected a zip entry at byte ${directory + 56}`);
    new DataView(bytes.buffer).setUint32(end + 16, 1e6, true);
    expect(await problem(bytes)).toBe(
      `expected a zip directory before byte ${end}, got 100 bytes from byte 1000000 on`,
    );
  });

  it('that are bombs: an entry beyond its size, or far beyond the file’s', async () => {
    const packed = deflateRawSync(new Uint8Array(1e6));
    const begin = Buffer.from(zipOf(entries({ method: 8, packed }))).indexOf('a/data/0') - 30;
    expect(await problem(zipOf(entries({ method: 8, packed })))).toBe(
      `expected 8 bytes of "a/data/0" at byte ${begin} once inflated, got more, or what can't be inflated`,
    );
    const bomb = zipOf(entries({ method: 8, packed, bytes: 2e6 }));
    const directory = Buffer.from(bomb.buffer).indexOf('PK\x01\x02');
    expect(await problem(bomb)).toBe(
      `expected inflated bytes within 4 times the ${directory} stored bytes, got 2000000`,
    );
  });

  it('that are packed, whose tensors repeat what comes of that', async () => {
    // Half of it is random: it takes half its bytes.
    const content = new Uint8Array(2 ** 20);
    for (let i = 0, seed = 1; i < content.length; i += 2) {
      seed = Math.imul(seed, 1664525) + 1013904223;
      content[i] = seed >>> 24;
    }
    const packed = deflateRawSync(content);
    const count = content.length / 4;
    const repeated = (times: number) => ({ count, shape: [times, count], stride: [0, 1] });
    const file = (times: number) =>
      zipOf(entries({ method: 8, content, packed }, dict({ w: pickledTensor(repeated(times)) })));
    expect(packed.length).toBeLessThan(content.length * 0.75);
    expect(await problem(file(4))).toMatch(
      /^expected bytes of tensors within 4 times the \d+ stored bytes, got 4194304$/,
    );
    expect((await loadWeights(file(2))).get('w')!.shape).toEqual([2, count]);
  });

  it('whose zip64 record is where no file reaches', async () => {
    const bytes = Buffer.from(zipOf(entries()));
    const end = bytes.lastIndexOf('PK\x05\x06');
    const locator = Buffer.alloc(20);
    locator.write('PK\x06\x07', 'latin1');
    locator.writeBigUInt64LE(2n ** 63n, 8);
    const file = Buffer.concat([bytes.subarray(0, end), locator, bytes.subarray(end)]);
    expect([...(await loadWeights(new Uint8Array(file))).keys()]).toEqual(['w']);
  });

  it('with fields of zip64 that end behind the directory', async () => {
    const bytes = zipOf(entries({ isZip64: true }));
    const listing = Buffer.from(bytes.buffer);
    listing.writeUInt16LE(0xffff, listing.lastIndexOf('a/data/0') + 'a/data/0'.length + 2);
    expect([...(await loadWeights(bytes)).keys()]).toEqual(['w']);
    listing.writeUInt16LE(2, listing.lastIndexOf('a/data/0') + 'a/data/0'.length);
    expect(await problem(bytes)).toMatch(
      /^expected the end of "a\/data\/0" before byte \d+, got \d+ bytes from byte \d+ on$/,
    );
  });

  it('deflated, with fields of zip64 that are cut', async () => {
    const packed = deflateRawSync(new Uint8Array(8));
    const bytes = zipOf(entries({ method: 8, packed, bytes: 8, isZip64: true }));
    const listing = Buffer.from(bytes.buffer);
    const entry = listing.lastIndexOf('a/data/0') - 46;
    // One number of three; what is left of them is a comment.
    const extraBytes = listing.readUInt16LE(entry + 30);
    listing.writeUInt16LE(12, entry + 30);
    listing.writeUInt16LE(extraBytes - 12, entry + 32);
    // Without its place, the entry before ends nowhere.
    expect(await problem(bytes)).toMatch(
      /^expected the end of "a\/data.pkl" before byte NaN, got \d+ bytes from byte 0 on$/,
    );
  });
});

describe('legacy files', () => {
  const good = legacyWith(state, { 0: [1, 2] });

  it('that are cut', async () => {
    expect(await problem(good.subarray(0, good.length - 3))).toBe(
      `the end is missing: ${good.length - 3} of ${good.length} bytes`,
    );
    expect(await problem(good.subarray(0, 10))).toBe('the end is missing: the head goes on after byte 10');
    expect(await problem(good.subarray(0, 100))).toBe('the end is missing: the object goes on after byte 100');
  });

  it('that are cut in the midst of a storage, by a server and as a stream', async () => {
    const bytes = new Uint8Array(400_000);
    const tensors = ['weight', 'bias'].map((name) => [name, { dtype: 'float32', shape: [100_000], bytes }] as const);
    const whole = Buffer.concat(pthLegacy(new Map(tensors)));
    const cut = new Uint8Array(whole.subarray(0, whole.length - 1000));
    await using server = await serveFile(servedBytes(cut));
    expect(await rejection(() => openWeights(server.url))).toBe(
      `FormatError: ${server.url}: pth: the end is missing: ${cut.length} of ${whole.length} bytes`,
    );
    // A stream doesn't tell how long it is.
    const file = await openWeights(new Blob([cut]).stream());
    expect(await rejection(() => file.load())).toBe(
      `FormatError: pth: the end is missing: tensor "bias" ends at byte ${whole.length}, got the file's end at byte ` +
        `${cut.length}`,
    );
  });

  it('in a folder of many letters are told by the end of their path', async () => {
    const path = `${'folder/'.repeat(100)}epoch-12.pth`;
    const cut = new File([new Uint8Array(good.subarray(0, 10))], path);
    expect(await rejection(() => openWeights(cut))).toMatch(
      /^FormatError: …[folder/]{188}epoch-12\.pth: pth: the end is missing: the head goes on after byte 10$/,
    );
  });

  it('whose storage has another number of elements than its tensors say', async () => {
    expect(await problem(legacyWith(state, { 0: [1, 2, 3] }))).toBe(
      `expected 2 elements of storage "0" at byte ${good.length - 16}, got 3`,
    );
  });

  it('whose list of storages lacks one, or holds lists', async () => {
    expect(await problem(legacyWith(state, { 1: [1, 2] }))).toBe(
      'expected 8 bytes of storage "0" for tensor "w", got none',
    );
    const begin = Buffer.from(good).lastIndexOf(bytesOf('\x80\x02]'));
    const bytes = Buffer.concat([good.subarray(0, begin), bytesOf(pickle(']]a'))]);
    expect(await problem(bytes)).toBe('expected 8 bytes of storage "0" for tensor "w", got none');
  });

  it('of another protocol of torch.save', async () => {
    const bytes = bytesOf(`${pickle('\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19')}${pickle('K\x05')}`);
    expect(await problem(bytes)).toBe('expected protocol 1001, got 5');
  });
});

describe.each([
  ['zip', zipWith],
  ['legacy', legacyWith],
])('pickles in the %s layout', (layout, fileWith) => {
  const where = layout === 'zip' ? / in "archive\/data\.pkl" at byte \d+/ : / in the object at byte \d+/;
  const refused = (opcode: string) => `expected a pickle, got ${opcode}`;
  const inPickle = async (opcodes: string) => (await problem(fileWith(opcodes, { 0: [1, 2] }))).replace(where, '');

  it('that call what is dangerous call nothing', async () => {
    const system = call('os.system', text('echo bad'));
    const evil = call('builtins.eval', text('1'));
    expect(await inPickle(system)).toBe(
      'expected a state dict, got a whole "os.system", which only its own code can read; in Python, save ' +
        'model.state_dict()',
    );
    expect([...(await loadWeights(fileWith(dict({ a: evil, w: pickledTensor() }), { 0: [1, 2] }))).keys()]).toEqual([
      'w',
    ]);
  });

  it('with a tensor of an unknown class of storages', async () => {
    const bytes = fileWith(dict({ w: pickledTensor({ type: 'torch.QInt8Storage' }) }), { 0: [1, 2] });
    expect(await problem(bytes)).toBe('expected a dtype of layertap for tensor "w", got qint8');
    const strange = fileWith(dict({ w: pickledTensor({ type: 'torch.StrangeStorage' }) }), { 0: [1, 2] });
    expect(await problem(strange)).toBe('expected a state dict, got a checkpoint with no tensors under "w"');
    const complex = fileWith(dict({ w: pickledTensor({ type: 'torch.ComplexFloatStorage' }) }), { 0: [1, 2, 3, 4] });
    expect(await problem(complex)).toBe('expected a dtype of layertap for tensor "w", got complex64');
  });

  it('that remember what never was, or themselves', async () => {
    expect(await inPickle('h\x05')).toBe(refused('0x68'));
    expect(await inPickle('}q\x00X\x01\0\0\0ah\x00s')).toBe(
      'expected a state dict, got a checkpoint with no tensors under "a"',
    );
  });

  it('whose lists of lists would be texts without end', async () => {
    // Each list holds the one before it twice.
    const note = (i: number) => String.fromCharCode(i);
    const twice = Array.from({ length: 60 }, (_, i) => `](h${note(i)}h${note(i)}eq${note(i + 1)}`).join('');
    const doubled = `]q\x00${twice}`;
    expect(await inPickle(`${doubled}\x8c\x01a\x93`)).toBe(refused('0x93'));
    expect(await inPickle(`${doubled}\x85Q`)).toBe("expected a storage's type, key and elements, got [an array of 2]");
  });

  it('that make millions of values of as many bytes', async () => {
    const name = layout === 'zip' ? '"archive/data.pkl"' : 'the object';
    const message = `expected at most 2097152 values in ${name}, got more`;
    const many = (opcodes: string, count: number) => opcodes.repeat(count);
    expect(await inPickle(many('N', 2_097_153))).toBe(message);
    expect(await inPickle(many('}0', 262_145))).toBe(message);
    expect(await inPickle(many(')0', 262_145))).toBe(message);
    expect(await inPickle(many(']', 262_145))).toBe(message);
    expect(await inPickle(`N${many('\x94', 2_097_152)}`)).toBe(message);
  });

  it.each([
    ['text', `X${u32(0xfffffff0)}abc`],
    ['number', '\x8b\xff\xff\xff\x7f'],
    ['name', 'ctorch'],
  ])('with a %s that never ends', async (_, opcodes) => {
    expect(await inPickle(opcodes)).toMatch(
      /^the end is missing: ("archive\/data\.pkl"|the object) goes on after byte \d+$/,
    );
  });

  it.each([
    [{ stride: [-1] }, "expected a tensor's offset, size and stride, got 0, [2], [-1]"],
    [{ shape: [-2] }, "expected a tensor's offset, size and stride, got 0, [-2], [1]"],
    [{ offset: -1 }, "expected a tensor's offset, size and stride, got -1, [2], [1]"],
    [{ shape: [2, 2] }, "expected a tensor's offset, size and stride, got 0, [2, 2], [1]"],
    [{ shape: [3] }, 'expected tensors within the 8 bytes of storage "0", got one up to byte 12'],
    [{ offset: 1 }, 'expected tensors within the 8 bytes of storage "0", got one up to byte 12'],
    [{ stride: [2] }, 'expected tensors within the 8 bytes of storage "0", got one up to byte 12'],
    [
      { shape: [2e9, 2e9, 2e9], stride: [0, 0, 0] },
      /^expected bytes of tensors within 4 times the \d{2,3} stored bytes, got 3\.2e\+28$/,
    ],
    [{ shape: [2e6], stride: [0] }, /^expected bytes of tensors within 4 times the \d{2,3} stored bytes, got 8000000$/],
    [
      { key: '0', count: -5 },
      'expected a storage\'s type, key and elements, got ["storage", a Global, "0", "cpu", -5]',
    ],
  ])('with a tensor that is not within its storage: %j', async (tensor, message) => {
    expect(await inPickle(dict({ w: pickledTensor(tensor) }))).toEqual(
      typeof message === 'string' ? message : expect.stringMatching(message),
    );
  });

  it('with many tensors of two elements that are far apart: the bytes between aren’t copied', async () => {
    const values = Array.from({ length: 20_000 }, (_, i) => i);
    const far = (i: number) =>
      pickledTensor({ count: values.length, offset: i, shape: [2], stride: [values.length - 100] });
    const bytes = fileWith(dict(Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`t${i}`, far(i)]))), {
      0: values,
    });
    const slice = vi.spyOn(Uint8Array.prototype, 'slice');
    const tensors = await loadWeights(bytes);
    const copied = slice.mock.results.reduce((sum, { value }) => sum + (value as Uint8Array).length, 0);
    slice.mockRestore();
    expect(Array.from(tensors.get('t7')!.data as Float32Array)).toEqual([7, values.length - 93]);
    expect(copied).toBeLessThan(8 * bytes.length);
  });

  it('with a storage of two sizes', async () => {
    const bytes = fileWith(dict({ a: pickledTensor(), b: pickledTensor({ count: 3 }) }), { 0: [1, 2] });
    expect(await problem(bytes)).toBe(
      layout === 'zip'
        ? 'expected 12 bytes of storage "0" for tensor "b", got 8'
        : `the end is missing: ${bytes.length} of ${bytes.length + 4} bytes`,
    );
  });

  it('with many tensors that repeat a few bytes', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 100 }, (_, i) => [`w${i}`, pickledTensor({ shape: [1e6], stride: [0] })]),
    );
    expect(await problem(fileWith(dict(many), { 0: [1, 2] }))).toMatch(
      /^expected bytes of tensors within 4 times the \d{2,3} stored bytes, got 400000000$/,
    );
  });
});

it('a zip file whose storage is shorter than its tensors need', async () => {
  const object = dict({ w: pickledTensor({ count: 4 }) });
  expect(await problem(zipWith(object, { 0: [1, 2] }))).toBe('expected 16 bytes of storage "0" for tensor "w", got 8');
});

it('tensors that are views of one storage, and parameters of old files', async () => {
  const floats = Array.from({ length: 12 }, (_, i) => i);
  const views = Array.from({ length: 6 }, (_, i) => [`w${i}`, pickledTensor({ count: 12, offset: i, shape: [6] })]);
  const old = call('torch.nn.parameter.Parameter', pickledTensor({ count: 12, shape: [3] }), '\x88');
  for (const bytes of [zipWith, legacyWith].map((of) =>
    of(dict({ ...Object.fromEntries(views), old }), { 0: floats }),
  )) {
    const loaded = await loadWeights(bytes);
    expect(loaded.size).toBe(7);
    for (let i = 0; i < 6; i++) expect([...loaded.get(`w${i}`)!.data]).toEqual(floats.slice(i, i + 6));
    expect([...loaded.get('old')!.data]).toEqual([0, 1, 2]);
  }
});

it('a pickle or a directory beyond maxHeaderBytes', async () => {
  const bytes = zipWith(state, { 0: [1, 2] });
  const size = bytesOf(pickle(state)).length;
  expect(await rejection(() => openWeights(bytes, { maxHeaderBytes: size - 1 }))).toBe(
    `FormatError: pth: expected "archive/data.pkl" within openWeights' maxHeaderBytes, got ${size} bytes`,
  );
  const names = Object.fromEntries(Array.from({ length: 9000 }, (_, i) => [`w${i}`, int(i)]));
  expect(await rejection(() => openWeights(legacyWith(dict(names)), { maxHeaderBytes: 70_000 }))).toBe(
    "FormatError: pth: expected the object within openWeights' maxHeaderBytes, got 70000 bytes",
  );
});

describe('a file that changes between two ranges', () => {
  const names = ['weight', 'bias', 'running_mean', 'running_var'];
  const tensors = new Map(
    names.map((name) => [name, { dtype: 'float32', shape: [50_000], bytes: new Uint8Array(200_000).fill(1) }]),
  );

  it.each([
    ['zip', pthZip(tensors)],
    ['legacy', pthLegacy(tensors)],
  ])('on a server, %s: nothing is loaded', async (_, pieces) => {
    let version = 1;
    const options: FileServerOptions = { headers: () => ({ etag: `"v${version}"` }) };
    await using server = await serveFile(servedBytes(Buffer.concat(pieces)), options);
    const file = await openWeights(server.url);
    version = 2;
    const norm = new BatchNorm2d(50_000);
    expect(await rejection(() => norm.loadStateDictAsync(file))).toBe(
      `FileChangedError: openWeights: expected the same file in each answer from ${server.url}, got ETag "v2" after "v1"`,
    );
    expect(norm.running_var.tensor.data[0]).toBe(1);
  });

  it('on the disk', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'layertap-'));
    const path = join(folder, 'w.pth');
    writeFileSync(path, Buffer.concat(pthZip(tensors)));
    await utimes(path, 1, 1);
    const handle = await open(path);
    try {
      const file = await openWeights(handle);
      await utimes(path, 2, 2);
      const { size } = await handle.stat();
      expect(await rejection(() => file.load(['running_var']))).toBe(
        `FileChangedError: openWeights: expected a file of ${size} bytes changed at 1970-01-01T00:00:01.000Z, ` +
          `got ${size} bytes changed at 1970-01-01T00:00:02.000Z`,
      );
    } finally {
      await handle.close();
      rmSync(folder, { recursive: true });
    }
  });

  it('is followed to another host without the token', async () => {
    const tokens: (string | undefined)[] = [];
    const seen = ({ request }: Asked) => {
      tokens.push(request.headers.authorization);
      return undefined;
    };
    await using there = await serveFile(servedBytes(Buffer.concat(pthZip(tensors))), { fault: seen });
    await using here = await serveFile(servedBytes(new Uint8Array(0)), {
      fault: (asked) => {
        seen(asked);
        asked.response.writeHead(302, { location: there.url }).end();
        return true;
      },
    });
    const file = await openWeights(here.url, { headers: { authorization: 'Bearer secret' } });
    expect((await file.load(['bias'])).get('bias')!.shape).toEqual([50_000]);
    expect(new Set(tokens)).toEqual(new Set(['Bearer secret', undefined]));
    expect(tokens.filter((token) => token !== undefined)).toHaveLength(here.ranges.length);
  });
});

describe('a file whose last tensor is broken', () => {
  const names = ['weight', 'bias', 'running_mean', 'running_var'];
  const bytes = new Uint8Array(Float32Array.from({ length: 50_000 }, () => 7).buffer);
  const tensors = new Map(names.map((name) => [name, { dtype: 'float32', shape: [50_000], bytes }]));
  const broken = (pieces: readonly Uint8Array[]) => {
    const file = new Uint8Array(Buffer.concat(pieces));
    // The last of the floats.
    file[Buffer.from(file.buffer).lastIndexOf(Buffer.from(Float32Array.of(7).buffer))]! ^= 1;
    return file;
  };
  const legacy = new Uint8Array(Buffer.concat(pthLegacy(tensors)));

  it.each([
    ['whose checksum is another one', broken(pthZip(tensors)), /"archive\/data\/3" at byte \d+ with checksum /],
    ['that is cut', legacy.subarray(0, legacy.length - 4), /the end is missing: tensor "running_var" ends at byte /],
  ])('%s: nothing is half-loaded', async (_, file, message) => {
    const norm = new BatchNorm2d(50_000);
    const opened = await openWeights(new Blob([file]).stream());
    expect(await rejection(() => norm.loadStateDictAsync(opened))).toMatch(message);
    for (const [name, { data }] of norm.stateDict()) expect(data.includes(7 as never), name).toBe(false);
  });
});

it('persistent ids and views that are none', async () => {
  const storage = (...parts: readonly string[]) => `${tuple(text('storage'), ...parts)}Q`;
  const type = global('torch.FloatStorage');
  const object = (id: string) => zipWith(dict({ w: id }));
  expect(await problem(object(storage(type, 'N', text('cpu'), int(2))))).toBe(
    'expected a storage\'s type, key and elements in "archive/data.pkl" at byte 58, got ["storage", a Global, null, ' +
      '"cpu", 2]',
  );
  const view = tuple(text('1'), int(1), int(2));
  expect(await problem(object(storage(type, text('0'), text('cpu'), int(2), view)))).toBe(
    'expected a storage\'s type, key and elements in "archive/data.pkl" at byte 81, got ["storage", a Global, "0", ' +
      '"cpu", 2, an array of 3]',
  );
});
