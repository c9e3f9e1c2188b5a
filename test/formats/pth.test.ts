/** PyTorch's files in both layouts, as torch wrote them and as strangers may: `scripts/goldens/pth.py` made them. */

import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { deflateRawSync, crc32 as zlibCrc32 } from 'node:zlib';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { pthLegacy, pthZip } from '../../scripts/pth.mjs';
import { crc32, crc32ByTables } from '../../src/formats/crc32.ts';
import {
  IntermediateLayerGetter,
  loadWeights,
  openSafetensors,
  openWeights,
  resnet50,
  saveSafetensors,
  type Tensor,
  tensor,
} from '../../src/index.ts';
import { numel } from '../../src/tensor/shape.ts';
import type { LoadProgress } from '../../src/tensor/tensor-stream.ts';
import { type Asked, servedBytes, servedPieces, serveFile } from '../support/file-server.ts';
import { generatedTensor } from '../support/generator.ts';
import { rejection } from '../support/thrown.ts';
import { type Entry, zipOf, zipParts } from '../support/zip.ts';

const LAYOUTS = ['zip', 'legacy'] as const;
const pathOf = (name: string) => `test/goldens/pth/${name}.pth`;
const bytesOf = (name: string) => new Uint8Array(readFileSync(pathOf(name)));

interface Golden {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly hex: string;
}

let goldens: Record<string, Golden>;

beforeAll(() => {
  goldens = JSON.parse(readFileSync('test/goldens/pth/tensors.json', 'utf8'));
});

const goldenOf = ({ dtype, shape, data }: Tensor): Golden => ({
  dtype,
  shape: [...shape],
  hex: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex'),
});

const goldensOf = (tensors: ReadonlyMap<string, Tensor>) =>
  Object.fromEntries(Array.from(tensors, ([name, tensor]) => [name, goldenOf(tensor)]));

describe.each(LAYOUTS)('a state dict in the %s layout', (layout) => {
  const name = `state-dict.${layout}`;

  it('has the bytes of every tensor, from every source', async () => {
    const bytes = bytesOf(name);
    const file = await open(pathOf(name));
    const blob = new Blob([bytes]);
    const sources = [bytes, bytes.buffer, blob, blob.stream(), new Response(blob), new File([blob], 'w.pth'), file];
    for (const source of sources) {
      const opened = await openWeights(source as Uint8Array);
      expect(opened.format).toBe('pth');
      expect(goldensOf(await opened.load())).toEqual(goldens);
      await opened.close();
    }
    await file.close();
  });

  it.each([true, false])('has them over HTTP, with ranges: %s', async (ranges) => {
    await using server = await serveFile(servedBytes(bytesOf(name)), { ranges });
    const opened = await openWeights(server.url);
    expect(goldensOf(await opened.load())).toEqual(goldens);
  });

  it('gives them in memory that is given again, whatever their place in the file', async () => {
    const opened = await openWeights(new Blob([bytesOf(name)]));
    const memory = new Uint8Array(4096);
    const seen: Record<string, Golden> = {};
    const given = { memory: (_name: string, length: number) => memory.subarray(0, length) };
    for await (const [key, tensor] of opened.stream(opened.tensors.keys(), given)) seen[key] = goldenOf(tensor);
    expect(seen).toEqual(goldens);
  });

  it('is never changed where it is in memory already', async () => {
    const bytes = bytesOf(name);
    const before = bytes.slice();
    const opened = await openWeights(bytes);
    const memory = new Uint8Array(4096);
    const given = { memory: (_name: string, length: number) => memory.subarray(0, length) };
    for await (const _ of opened.stream(opened.tensors.keys(), given));
    expect(bytes).toEqual(before);
  });
});

describe.each(LAYOUTS)('a checkpoint in the %s layout', (layout) => {
  const bytes = bytesOf(`checkpoint.${layout}`);

  it('says which dicts in it are state dicts', async () => {
    expect(await rejection(() => openWeights(bytes))).toBe(
      'FormatError: pth: expected a state dict, got a checkpoint with state dicts under "model", "ema"; ' +
        'pass { key: "model" } to openWeights, or { key: "" } for the tensors beside them',
    );
    expect(await rejection(() => openWeights(bytes, { key: 'net' }))).toBe(
      'FormatError: pth: expected a dict under key "net", got a checkpoint of "epoch", "model", "ema", "args", ' +
        '"accuracy", "optimizer", "complex"',
    );
  });

  it('gives the state dict under a key, with a prefix taken off, or renamed', async () => {
    expect(goldensOf(await loadWeights(bytes, { key: 'model' }))).toEqual(goldens);
    expect(goldensOf(await loadWeights(bytes, { key: 'ema', prefix: 'module.' }))).toEqual(goldens);
    const rename = (one: string) => (one.startsWith('f') ? `my.${one}` : null);
    const some = await openWeights(bytes, { key: 'model', rename });
    expect([...some.tensors.keys()]).toEqual(['my.f32', 'my.float16', 'my.float64']);
    expect(goldenOf((await some.load(['my.f32'])).get('my.f32')!)).toEqual(goldens.f32);
    expect(await rejection(() => openWeights(bytes, { key: 'model', prefix: 'module.' }))).toMatch(
      /^FormatError: weights: expected names that begin with "module\.", got "f32", /,
    );
    expect(await rejection(() => openWeights(bytes, { key: 'model', rename: () => 'x' }))).toBe(
      'FormatError: weights: expected one tensor for "x", got "f32" and "float16"',
    );
    expect(await rejection(() => some.load(['f32']))).toMatch(/^KeyError: openWeights: expected tensors of "my\.f32"/);
  });

  it('goes into dicts of dicts', async () => {
    const inner = await openWeights(bytes, { key: 'optimizer.state.0' }).catch((error: Error) => error.message);
    // Python's number 0 is no name.
    expect(inner).toMatch(/^pth: expected a dict under key "optimizer\.state\.0"/);
  });
});

it.each(LAYOUTS)('a whole module in the %s layout is refused with the way out', async (layout) => {
  expect(await rejection(() => openWeights(bytesOf(`module.${layout}`)))).toBe(
    'FormatError: pth: expected a state dict, got a whole "torch.nn.modules.container.Sequential", which only its own ' +
      'code can read; in Python, save model.state_dict()',
  );
});

it('gives tensors that have come together together, whatever the format', async () => {
  const zip = bytesOf('state-dict.zip');
  for (const bytes of [zip, bytesOf('state-dict.legacy'), saveSafetensors(await loadWeights(zip))]) {
    const opened = await openWeights(bytes);
    const batches: string[][] = [];
    for await (const batch of opened.batches!(opened.tensors.keys())) batches.push(Array.from(batch, ([name]) => name));
    expect(batches.flat().sort()).toEqual(Object.keys(goldens).sort());
    expect(batches.filter(({ length }) => length > 0)).toHaveLength(1);
  }
});

it('tells of each tensor what the model has to know', async () => {
  const zip = bytesOf('state-dict.zip');
  for (const bytes of [zip, bytesOf('state-dict.legacy'), saveSafetensors(await loadWeights(zip))]) {
    const { tensors, format } = await openWeights(bytes);
    expect(tensors.get('f32')).toEqual({ dtype: format === 'pth' ? 'float32' : 'F32', shape: [2, 3] });
  }
});

it('loads bytes alone at once', async () => {
  expect(await rejection(() => loadWeights('w.pth' as unknown as Uint8Array))).toBe(
    'ValueError: loadWeights: expected a Uint8Array or an ArrayBuffer, got "w.pth"; read the file first, or open its ' +
      'URL with openWeights',
  );
});

it('takes names in a list alone', async () => {
  const opened = await openWeights(bytesOf('state-dict.zip'));
  expect(await rejection(() => opened.load('f32'))).toBe(
    'ValueError: openWeights: expected tensors\' names in a list, got "f32"; pass ["f32"]',
  );
});

it('reads no storage that nobody wants', async () => {
  for (const layout of LAYOUTS) {
    await using server = await serveFile(servedBytes(bytesOf(`state-dict.${layout}`)));
    const opened = await openWeights(server.url);
    const before = server.served();
    await opened.load(['f32']);
    expect(server.served() - before).toBeLessThan(400);
  }
});

it.each([
  ['zip', pthZip],
  ['legacy', pthLegacy],
])('gives a part of a file whose size is not known before, in the %s layout', async (_, write) => {
  const numbers = generatedTensor('part', [3 * 2 ** 15]).data;
  const names = ['weight', 'bias', 'momentum'];
  const part = (i: number) => new Uint8Array(numbers.buffer, i * 2 ** 17, 2 ** 17);
  const written = new Map(names.map((name, i) => [name, { dtype: 'float32', shape: [2 ** 15], bytes: part(i) }]));
  const bytes = Buffer.concat(write(written));
  const fault = ({ response }: Asked) => {
    response.writeHead(200);
    // An answer that is sent in two parts has no content-length.
    response.write(bytes.subarray(0, 9));
    response.end(bytes.subarray(9));
    return true;
  };
  await using server = await serveFile(servedBytes(bytes), { fault });
  const sources = [() => new Blob([bytes]).stream(), () => new Response(bytes), () => server.url];
  for (const source of sources) {
    for (const wanted of [names.slice(0, 1), names.slice(1, 2), names.slice(0, 2), names]) {
      const opened = await openWeights(source());
      const loaded = await opened.load(wanted);
      expect([...loaded.keys()]).toEqual(wanted);
      for (const [name, { data }] of loaded) {
        expect(
          Buffer.compare(Buffer.from(data.buffer, data.byteOffset, data.byteLength), written.get(name)!.bytes),
        ).toBe(0);
      }
    }
  }
});

describe("ResNet-50's 102 MB over HTTP", () => {
  const model = resnet50();
  /** Numbers that storages are taken from, each from another place on. */
  const numbers = generatedTensor('pth', [2 ** 22]).data;
  const tensors = new Map(
    Array.from(model.stateShapes(), ([name, shape], i) => {
      const isCount = name.endsWith('num_batches_tracked');
      const bytes = new Uint8Array(numbers.buffer, 4096 * i, (isCount ? 8 : 4) * numel(shape));
      return [name, { dtype: isCount ? 'int64' : 'float32', shape, bytes }];
    }),
  );
  /** PyTorch sorts the storages of legacy files by their addresses. */
  const shuffled = [...tensors.keys()]
    .map((name, i) => ({ i, place: generatedTensor(name, [1]).data[0]! }))
    .sort((a, b) => a.place - b.place)
    .map(({ i }) => i);

  it.each([
    ['zip', pthZip(tensors)],
    ['legacy', pthLegacy(tensors)],
    ['legacy, shuffled', pthLegacy(tensors, shuffled)],
  ])('of which a getter to layer2 reads at most 8, %s', async (_, pieces) => {
    const file = servedPieces(pieces);
    expect(file.byteLength).toBeGreaterThan(102e6);
    await using server = await serveFile(file);
    const opened = await openWeights(server.url);
    const getter = new IntermediateLayerGetter(resnet50(), { layer2: 'c3' });
    expect(await getter.loadStateDictAsync(opened)).toEqual({ missingKeys: [], unexpectedKeys: [] });
    expect(server.served()).toBeLessThan(8e6);
    for (const [name, { data }] of getter.stateDict()) {
      const { bytes } = tensors.get(name)!;
      expect(Buffer.compare(Buffer.from(data.buffer, data.byteOffset, data.byteLength), bytes), name).toBe(0);
    }
  });
});

it('tells safetensors from it by the first bytes', async () => {
  const bytes = saveSafetensors(await loadWeights(bytesOf('state-dict.zip')));
  const opened = await openWeights(bytes, { prefix: 'float' });
  expect(opened.format).toBe('safetensors');
  expect([...opened.tensors.keys()].sort()).toEqual(['16', '64']);
});

describe('what is no weight file', () => {
  const WAY_OUT = 'in Python, torch.save(model.state_dict(), path) writes what layertap reads';

  it.each([
    ['<!doctype html>', 'an HTML or XML page; is the URL right? On Hugging Face, files are at /resolve/, not /blob/'],
    ['version https://git-lfs.github.com/spec/v1\noid sha256:4d7a', 'a git-lfs pointer; run git lfs pull'],
    ['\x1f\x8b\x08\0\0\0\0\0\0', 'gzip; decompress it first'],
    ['\x89HDF\r\n\x1a\n\0\0', `HDF5, as Keras writes it; ${WAY_OUT}`],
    ['\x1c\0\0\0TFL3\x14\0\0\0', `a TFLite model; ${WAY_OUT}`],
    ['\x08\x07\x12\x07pytorch\x1a\x05', `an ONNX model; ${WAY_OUT}`],
    ['GGUF\x03\0\0\0\0', `GGUF; ${WAY_OUT}`],
    ['\x93NUMPY\x01\0v\0', `a NumPy array; ${WAY_OUT}`],
    ["(dp0\nS'model'\np1\n", `a pickle of protocol 0 or 1; ${WAY_OUT}`],
    [
      `${'checkpoint.pth'.padEnd(257, '\0')}ustar  \0`,
      `a tar archive, as PyTorch 0.1 wrote; unpack it or load it in Python; ${WAY_OUT}`,
    ],
    ['', `0 bytes; ${WAY_OUT}`],
    ['abc', `3 bytes; ${WAY_OUT}`],
    ['Entry not found', `one that begins with "Entry not found"; ${WAY_OUT}`],
    ['\x01\x02\x03\x04\x05\x06\x07\x08\x09', `one that begins with 01 02 03 04 05 06 07 08; ${WAY_OUT}`],
  ])('is named by its first bytes: %j', async (content, what) => {
    const bytes = Uint8Array.from(content, (letter) => letter.charCodeAt(0));
    for (const source of [bytes, new Blob([bytes]).stream()]) {
      expect(await rejection(() => openWeights(source))).toBe(
        `FormatError: openWeights: expected a weight file, got ${what}`,
      );
    }
  });

  it('is a .pth.tar that is one, while those that are none are read', async () => {
    for (const layout of LAYOUTS) {
      const named = new File([bytesOf(`state-dict.${layout}`)], 'checkpoint.pth.tar');
      expect(goldensOf(await (await openWeights(named)).load())).toEqual(goldens);
    }
    // As Python's tarfile begins a file, in GNU's format and in POSIX's.
    for (const magic of ['ustar  \0', 'ustar\x0000']) {
      const tar = new Uint8Array(1024);
      tar.set(Buffer.from('sys_info'));
      tar.set(Buffer.from(magic, 'latin1'), 257);
      expect(await rejection(() => openWeights(new File([tar], 'resnet18-5c106cde.pth.tar')))).toMatch(
        /^FormatError: resnet18-5c106cde\.pth\.tar: openWeights: expected a weight file, got a tar archive, as PyTorch 0\.1 /,
      );
    }
  });

  it('is a pickle of something else', async () => {
    const pickle = (text: string) => Uint8Array.from(`\x80\x02${text}`, (letter) => letter.charCodeAt(0));
    const message = (what: string) =>
      `FormatError: pth: expected a file of torch.save, got a pickle of ${what}; load it in Python and torch.save() that`;
    expect(await rejection(() => openWeights(pickle('}.')))).toBe(message('data'));
    expect(await rejection(() => openWeights(pickle('N.')))).toBe(message('data'));
    expect(await rejection(() => openWeights(pickle('cnumpy\nndarray\n)R.')))).toBe(message('"numpy.ndarray"'));
    expect(await rejection(() => openWeights(pickle(`]${'N0'.repeat(1e5)}.`)))).toBe(message('data'));
  });

  it('is not a safetensors file whose length looks like the beginning of another', async () => {
    for (const first of [0x7b, 0x3c, 0x20, 0x5b]) {
      const bytes = new Uint8Array(8 + first).fill(0x20);
      new DataView(bytes.buffer).setBigUint64(0, BigInt(first), true);
      bytes.set(new TextEncoder().encode('{}'), 8);
      expect((await openWeights(bytes)).format).toBe('safetensors');
    }
  });

  it('is a safetensors file that is broken, in its own words', async () => {
    expect(await rejection(() => openWeights(Uint8Array.of(200, 0, 0, 0, 0, 0, 0, 0, 9)))).toBe(
      'FormatError: safetensors: header ends at byte 208 of 9',
    );
  });
});

describe('an index of shards', () => {
  const shards = async () => {
    const all = [...(await loadWeights(bytesOf('state-dict.zip')))];
    const halves = { 'model-1.safetensors': all.slice(0, 9), 'model-2.safetensors': all.slice(9) };
    const map = Object.entries(halves).flatMap(([file, tensors]) => tensors.map(([name]) => [name, file]));
    const index = new TextEncoder().encode(JSON.stringify({ weight_map: Object.fromEntries(map) }));
    return { index, halves };
  };

  it('gives the tensors of all of them', async () => {
    const { index, halves } = await shards();
    const shard = (name: string) => saveSafetensors(halves[name as keyof typeof halves]);
    const opened = await openWeights(index, { shard });
    expect(goldensOf(await opened.load())).toEqual(goldens);
    expect(goldenOf((await opened.load(['bool'])).get('bool')!)).toEqual(goldens.bool);
  });

  it('tells how far reading all of them is', async () => {
    const { index, halves } = await shards();
    const shard = (name: string) => saveSafetensors(halves[name as keyof typeof halves]);
    const opened = await openWeights(index, { shard });
    const told: LoadProgress[] = [];
    const tensors = await opened.load(undefined, { onProgress: (now) => told.push(now) });
    const totalBytes = [...tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
    expect(new Set(told.map((now) => now.totalBytes))).toEqual(new Set([totalBytes]));
    expect(told.map((now) => now.loadedBytes)).toEqual(told.map((now) => now.loadedBytes).sort((a, b) => a - b));
    expect(told.at(-1)!.loadedBytes).toBe(totalBytes);
    expect(await rejection(() => opened.load(undefined, { onProgress: 1 as never }))).toBe(
      'ValueError: openWeights: expected onProgress as a function, got 1',
    );
  });

  it('has one bound for the headers of all of them', async () => {
    const { index, halves } = await shards();
    const files = Object.entries(halves).map(([name, tensors]) => [name, saveSafetensors(tensors)] as const);
    const sizes = files.map(([, bytes]) => new DataView(bytes.buffer).getUint32(0, true));
    const [first, second] = sizes as [number, number];
    const shard = (name: string) => new Map(files).get(name)!;
    await openWeights(index, { shard, maxHeaderBytes: first + second });
    expect(await rejection(() => openWeights(index, { shard, maxHeaderBytes: first + second - 1 }))).toBe(
      `FormatError: model-2.safetensors: safetensors: expected a header of at most ${second - 1} bytes, got ${second}; ` +
        'openWeights takes up to 100000000 with maxHeaderBytes',
    );
  });

  it('says which shard is cut, where it has no address', async () => {
    const index = new TextEncoder().encode(JSON.stringify({ weight_map: { a: '1.safetensors' } }));
    // More than is read at first.
    const bytes = saveSafetensors([['a', tensor(new Float32Array(2e5), [2e5])]]);
    const shard = () => new Blob([new Uint8Array(bytes.subarray(0, -1))]).stream();
    const opened = await openWeights(index, { shard });
    expect(await rejection(() => opened.load())).toBe(
      `FormatError: 1.safetensors: safetensors: the end is missing: tensor "a" ends at byte ${bytes.length}, ` +
        `got the file's end at byte ${bytes.length - 1}`,
    );
  });

  it('of a page is found by its address within the page’s, as are its shards', async () => {
    const { index, halves } = await shards();
    const asked: string[] = [];
    const fetch = async (url: string) => {
      asked.push(url);
      const name = url.split('/').pop()!;
      return new Response(name in halves ? saveSafetensors(halves[name as keyof typeof halves]) : index);
    };
    vi.stubGlobal('location', { href: 'https://example.com/app/' });
    try {
      const opened = await openWeights('m/model.safetensors.index.json', { fetch });
      expect(goldensOf(await opened.load())).toEqual(goldens);
      // A URL of another realm, as Object.prototype.toString tells it.
      const other = { [Symbol.toStringTag]: 'URL', toString: () => 'https://example.com/x/index.json' };
      await openWeights(other as unknown as URL, { fetch });
    } finally {
      vi.unstubAllGlobals();
    }
    expect(asked).toEqual(
      ['app/m/model.safetensors.index.json', 'app/m/model-1.safetensors', 'app/m/model-2.safetensors']
        .concat(['x/index.json', 'x/model-1.safetensors', 'x/model-2.safetensors'])
        .map((path) => `https://example.com/${path}`),
    );
  });

  it('closes the shards that it has opened where a later one fails, or where names clash', async () => {
    const index = new TextEncoder().encode(JSON.stringify({ weight_map: { a: '1.safetensors', b: '2.safetensors' } }));
    // More than is read at first, so that the streams haven't ended.
    const file = (name: string) => saveSafetensors([[name, tensor(new Float32Array(2e5), [2e5])]]);
    const opened = async (second: Uint8Array) => {
      const closed: string[] = [];
      const shard = (name: string) =>
        new ReadableStream<Uint8Array>({
          start: (controller) => controller.enqueue(name.startsWith('1') ? file('a') : second),
          cancel: () => void closed.push(name),
        });
      const error = await rejection(() => openWeights(index, { shard }));
      return { error, closed: closed.sort() };
    };
    const page = await opened(new TextEncoder().encode('<!doctype html>'.padEnd(1e5)));
    expect(page.error).toMatch(/^FormatError: 2\.safetensors: safetensors: expected a safetensors file, got an HTML/);
    expect(page.closed).toEqual(['1.safetensors', '2.safetensors']);
    expect(await opened(file('a'))).toEqual({
      error:
        'FormatError: openWeights: expected each tensor in one shard, got "a" in "1.safetensors" and "2.safetensors"',
      closed: ['1.safetensors', '2.safetensors'],
    });
  });

  it('refuses names that lead elsewhere, and JSON that is none', async () => {
    const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
    const shard = () => new Uint8Array(0);
    for (const value of [{}, { weight_map: {} }, { weight_map: { a: '../x.safetensors' } }, { weight_map: { a: 1 } }]) {
      expect(await rejection(() => openWeights(json(value), { shard }))).toMatch(
        /^FormatError: openWeights: expected a weight file, got JSON that is no index of shards/,
      );
    }
    expect(await rejection(() => openWeights(json({ weight_map: { a: 'x.safetensors' } })))).toBe(
      'FormatError: openWeights: expected the option shard for an index of 1 files, got none',
    );
  });

  it('refuses JSON of more lists than an index has, and what is no UTF-8', async () => {
    const nested = (depth: number) =>
      openWeights(
        new TextEncoder().encode(`{"weight_map":{"a":"x.safetensors"},"x":${'['.repeat(depth)}${']'.repeat(depth)}}`),
      );
    expect(await rejection(() => nested(200_000))).toMatch(/expected the option shard/);
    expect(await rejection(() => nested(300_000))).toMatch(/got JSON that is no index of shards/);
    const bytes = new TextEncoder().encode('{"weight_map":{"a":"x.safetensors"},"x":"?"}');
    bytes[bytes.length - 3] = 0xff;
    expect(await rejection(() => openWeights(bytes))).toMatch(/got JSON that is no index of shards/);
  });
});

it('reads no more of a zip that has to be read as a whole than is allowed', async () => {
  const bytes = bytesOf('state-dict.zip');
  const endless = () => {
    let sent = 0;
    return new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(sent === 0 ? bytes : new Uint8Array(2 ** 16));
        sent++;
        if (sent > 1000) controller.error(new Error('read on'));
      },
    });
  };
  expect(await rejection(() => openWeights(endless(), { maxBytes: 1e6 }))).toBe(
    'FormatError: openWeights: expected a file within maxBytes, got more than 1000000 bytes',
  );
  const whole = await openWeights(new Blob([bytes]).stream(), { maxBytes: bytes.length });
  expect(goldensOf(await whole.load())).toEqual(goldens);
  expect(await rejection(() => openWeights(bytes, { maxBytes: -1 }))).toBe(
    'ValueError: openWeights: expected maxBytes to be a whole number >= 0, got -1',
  );
});

it('lets go of an answer that it refuses', async () => {
  for (const opens of [openWeights, openSafetensors]) {
    const canceled: unknown[] = [];
    const body = new ReadableStream<Uint8Array>({ cancel: (reason) => void canceled.push(reason) });
    expect(await rejection(() => opens(new Response(body, { status: 404 })))).toMatch(
      /^NetworkError: \w+: expected a Response of status 200, got 404$/,
    );
    expect(canceled).toHaveLength(1);
  }
});

describe('zip files', () => {
  const parts = () => zipParts(bytesOf('state-dict.zip'));
  const rebuilt = (change: (entry: Entry) => Partial<Entry>) =>
    zipOf(parts().map((entry) => ({ ...entry, ...change(entry) })));

  it('may be deflated, of any folder, with descriptors behind their entries, and zip64', async () => {
    const deflated = rebuilt(({ content }) => ({ method: 8, packed: deflateRawSync(content) }));
    const moved = rebuilt(({ name }) => ({ name: name.replace(/^[^/]*/, 'archive') }));
    const described = rebuilt(() => ({ hasDescriptor: true }));
    const wide = rebuilt(() => ({ isZip64: true }));
    for (const bytes of [deflated, moved, described, wide]) {
      expect(goldensOf(await loadWeights(bytes))).toEqual(goldens);
    }
  });

  it('of big-endian machines have their elements turned', async () => {
    const sizes: Record<string, number> = { f32: 4, int16: 2, float64: 8, uint8: 1 };
    const bytes = zipOf([
      ...parts(),
      { name: `${parts()[0]!.name.split('/')[0]}/byteorder`, content: new TextEncoder().encode('big') },
    ]);
    const tensors = await loadWeights(bytes);
    for (const [name, size] of Object.entries(sizes)) {
      const turned = Buffer.from(goldens[name]!.hex, 'hex');
      for (let at = 0; at < turned.length; at += size) turned.subarray(at, at + size).reverse();
      expect(goldenOf(tensors.get(name)!).hex, name).toBe(turned.toString('hex'));
    }
  });

  it('that are cut say so', async () => {
    const bytes = bytesOf('state-dict.zip');
    const cut = bytes.subarray(0, bytes.length - 30);
    expect(await rejection(() => openWeights(cut))).toBe(
      `FormatError: pth: the end is missing: ${cut.length} of at least ${cut.length + 22} bytes`,
    );
  });

  it('with another checksum are refused, each entry as it is read', async () => {
    const bytes = rebuilt(({ name, crc }) => (name.endsWith('/data/0') ? { crc: (crc! ^ 1) >>> 0 } : {}));
    const opened = await openWeights(bytes);
    await opened.load(['float16']);
    expect(await rejection(() => opened.load(['f32']))).toMatch(
      /^FormatError: pth: expected "state-dict\.zip\/data\/0" at byte \d+ with checksum [0-9a-f]+, got [0-9a-f]+$/,
    );
  });

  it("have zlib's checksums at any place and of any length, with or without the host's zlib", () => {
    const bytes = new Uint8Array(generatedTensor('crc', [2 ** 14]).data.buffer);
    for (const length of [...Array(40).keys(), 16384, 16385, 16392, 40000]) {
      for (let at = 0; at < 9; at++) {
        const content = bytes.subarray(at, at + length);
        expect(crc32ByTables(content)).toBe(zlibCrc32(content));
        expect(crc32(content)).toBe(zlibCrc32(content));
      }
    }
  });

  it('whose directory lies are refused', async () => {
    const first = (change: (entry: Entry) => Partial<Entry>) =>
      rebuilt((entry) => (entry.name.endsWith('/data/0') ? change(entry) : {}));
    const cases: [bytes: Uint8Array, message: RegExp][] = [
      [
        first(() => ({ bytes: 1e6, packedBytes: 1e6 })),
        /the end of "state-dict\.zip\/data\/0" before byte \d+, got 1000000 bytes from byte \d+ on/,
      ],
      [first(() => ({ bytes: 5 })), /expected "state-dict\.zip\/data\/0" stored .*, got method 0 and 24 bytes of 5/],
      [first(() => ({ bytes: 4, packedBytes: 4 })), /expected 24 bytes of storage "0" for tensor "f32", got 4$/],
      [first(() => ({ name: 'state-dict.zip/data/1' })), /expected one entry "state-dict\.zip\/data\/1", got two/],
      [first(() => ({ name: 'other' })), /expected 24 bytes of storage "0" for tensor "f32", got none$/],
      [first(() => ({ method: 12 })), /stored or deflated, got method 12 /],
      [first(({ content }) => ({ method: 8, packed: content })), /once inflated, got more, or what can't be inflated/],
      [
        first(() => ({ method: 8, packed: deflateRawSync(new Uint8Array(1e6)) })),
        /expected 24 bytes of "state-dict\.zip\/data\/0" at byte \d+ once inflated, got more, or what can't be inflated/,
      ],
      [
        first(() => ({ method: 8, packed: deflateRawSync(new Uint8Array(3)) })),
        /expected 24 bytes of "state-dict\.zip\/data\/0" at byte \d+ once inflated, got 3/,
      ],
    ];
    for (const [bytes, message] of cases) {
      const error = await rejection(async () => (await openWeights(bytes)).load(['f32']));
      expect(error).toMatch(/^FormatError: pth: /);
      expect(error).toMatch(message);
    }
  });

  it('of more entries than a state dict needs are refused before they are all read', async () => {
    const content = new Uint8Array(0);
    const entries = [...parts(), ...Array.from({ length: 30000 }, (_, i) => ({ name: `x${i}`, content }))];
    entries[0] = { ...entries[0]!, isZip64: true };
    expect(await rejection(() => openWeights(zipOf(entries)))).toBe(
      'FormatError: pth: expected at most 30000 entries, got more',
    );
    expect((await openWeights(zipOf(entries.slice(0, 30000)))).tensors.size).toBe(Object.keys(goldens).length);
  });

  it('give as many deflated storages as are inflated within a second', async () => {
    const packed = deflateRawSync(new Uint8Array(4));
    const deflated = (count: number) => {
      const names = Array.from(
        { length: count },
        (_, i) => [`t${i}`, { shape: [1], bytes: new Uint8Array(4) }] as const,
      );
      const file = pthZip(new Map(names.map(([name, one]) => [name, { dtype: 'float32', ...one }])));
      const entries = zipParts(Buffer.concat([...file]));
      return openWeights(
        zipOf(entries.map((entry) => (/data\/\d+$/.test(entry.name) ? { ...entry, method: 8, packed } : entry))),
      );
    };
    const most = await deflated(4096);
    expect((await most.load()).size).toBe(4096);
    const more = await deflated(4097);
    expect(await rejection(() => more.load())).toBe(
      'FormatError: pth: expected at most 4096 deflated entries, got 4097',
    );
    // Those that are wanted count.
    expect((await more.load(['t0', 't4096'])).size).toBe(2);
  });

  it('that are deflated are refused where the host inflates nothing', async () => {
    vi.stubGlobal('DecompressionStream', undefined);
    try {
      const deflated = rebuilt(({ content }) => ({ method: 8, packed: deflateRawSync(content) }));
      expect(await rejection(() => openWeights(deflated))).toMatch(
        /^FormatError: pth: expected \d+ bytes of .* once inflated, got more, or what can't be inflated$/,
      );
    } finally {
      vi.unstubAllGlobals();
    }
  });

  it('without a pickle are refused', async () => {
    expect(await rejection(() => openWeights(zipOf([{ name: 'a.txt', content: new Uint8Array(3) }])))).toBe(
      'FormatError: pth: expected a zip entry data.pkl, got ["a.txt"]',
    );
  });
});

describe('pickles of strangers', () => {
  const text = (value: string) => Buffer.from(value, 'latin1');
  const opened = (pickle: string) => openWeights(zipOf([{ name: 'a/data.pkl', content: text(`\x80\x02${pickle}`) }]));

  it.each([
    ['.', 'got 0x2e'],
    ['N.', /expected a state dict, got null$/],
    ['(K\x01K\x02t.', /expected a state dict, got \[1, 2\]$/],
    ['\xff.', /expected a pickle in "a\/data\.pkl" at byte 2, got 0xff$/],
    ['h\x05.', 'got 0x68'],
    ['t.', 'got 0x74'],
    ['\x8b\xff\xff\xff\x7f', /the end is missing: "a\/data\.pkl" goes on after byte 7$/],
    ['X\xff\xff\xff\x7fabc', /goes on after byte 10$/],
    ['}K\x01s.', 'got 0x73'],
    ['}(K\x01u.', 'got 0x75'],
    ['K\x01K\x02a.', 'got 0x61'],
    ['K\x01)R.', 'got 0x52'],
    ['(0.', 'got 0x30'],
    ['(q\x00.', 'got 0x71'],
    ['cos\nsystem\nX\x02\x00\x00\x00ls\x85R.', /got a whole "os\.system", which only its own code can read/],
    ['K\x05Q.', /expected a storage's type, key and elements in "a\/data\.pkl" at byte 4, got 5$/],
    ['cos', /goes on after byte 5$/],
    ['\x80\x09N.', 'got 0x80'],
  ])('%j end in an error that says where', async (pickle, message) => {
    const error = await rejection(() => opened(pickle));
    expect(error).toMatch(/^FormatError: pth: /);
    expect(error).toMatch(message);
    if (typeof message === 'string') expect(error).toMatch(/expected a pickle in .* at byte \d+, got /);
  });

  it('may hold themselves, and unknown objects that nobody needs', async () => {
    const loop = await opened('}q\x00X\x01\x00\x00\x00ah\x00sX\x01\x00\x00\x00bcos\nsystem\n)Rs.').catch(String);
    expect(loop).toMatch(/^FormatError: pth: expected a state dict, got a checkpoint with no tensors under "a", "b"$/);
  });

  const u32 = (value: number) => String.fromCharCode(...[0, 8, 16, 24].map((bits) => (value >>> bits) & 255));
  const string = (value: string) => `X${u32(value.length)}${value}`;
  const storageOf = (key: string) => `(${string('storage')}ctorch\nFloatStorage\n${string(key)}${string('cpu')}K\x01tQ`;
  const storage = storageOf('0');
  const ones = `(${'K\x01'.repeat(64)}t`;
  it.each([
    [
      'a dict of one list',
      `](${'K\x01N\x86'.repeat(1000)}e\x85q\x000ccollections\nOrderedDict\nq\x010`,
      'h\x01h\x00R0',
    ],
    ['a tuple without pairs', `(${'N'.repeat(1000)}tq\x000ccollections\nOrderedDict\nq\x010`, 'h\x01h\x00R0'],
    [
      'tensors of 64 axes',
      `(${storage}K\x00${ones}${ones}\x89}tq\x000ctorch._utils\n_rebuild_tensor_v2\nq\x010`,
      'h\x01h\x00R0',
    ],
    [
      'a dict of one list that is rebuilt as a tensor with attributes',
      `ccollections\nOrderedDict\nN](${'N'.repeat(100_000)}e\x85\x87q\x000ctorch._tensor\n_rebuild_from_type_v2\nq\x010`,
      'h\x01h\x00R0',
    ],
    ['a storage', `(${string('storage')}ctorch\nFloatStorage\n${string('0')}NK\x01tq\x000`, 'h\x00Q0'],
    ['a long name', `${string('a'.repeat(250))}q\x000`, 'h\x00h\x00\x930'],
    ['a dict of many keys', `}q\x00(${'NN'.repeat(1000)}${'K\x05N'}u`, 'h\x000'],
  ])('that do a long thing again and again are given up: %s', async (_, noted, again) => {
    expect(await rejection(() => opened(`${noted}${again.repeat(300_000)}.`))).toMatch(/at most 2097152 values/);
  });

  it.each([
    ['a number far beyond what is noted', 'Nr\xff\xff\xff\x7f0}.', 'at most 2097152 values'],
    ['more numbers as keys than training has steps', `}(${'K\x01N'.repeat(300_000)}u.`, 'at most 2097152 values'],
    ['as many texts as keys', `}(${'U\x01kN'.repeat(300_000)}u.`, 'at most 2097152 values'],
    ['as many keys one by one', `}${'K\x01Ns'.repeat(300_000)}.`, 'at most 2097152 values'],
    ['a storage of a long key', `${storageOf('1'.repeat(300))}.`, "a storage's type, key and elements"],
    [
      'a list given again and again to one call',
      `cbuiltins\nrepr\n](${'N'.repeat(100_000)}eq\x000(${'h\x00'.repeat(100_000)}tR.`,
      'at most 2097152 values',
    ],
    ['a name of a thousand letters', `c${'a'.repeat(1000)}\nb\n.`, 'expected a pickle in'],
    ['a noted name of a thousand letters', `${string('a'.repeat(1000))}q\x00h\x00\x93.`, 'expected a pickle in'],
  ])('with %s are given up', async (_, pickle, message) => {
    expect(await rejection(() => opened(pickle))).toContain(message);
  });

  it('with a long tail of a persistent id take what comes first of it', async () => {
    const kind = `(${string('storage')}ctorch\nFloatStorage\n`;
    const id = `${kind}${string('0')}${string('cpu')}K\x01${'N'.repeat(10_000)}tq\x000`;
    expect((await opened(`${id}${'h\x00Q0'.repeat(10_000)}}.`)).tensors.size).toBe(0);
  });

  it('may have a number of any step beside a state dict', async () => {
    const steps = Array.from({ length: 100_000 }, (_, i) => `J${u32(i)}N`);
    const tensor = `ctorch._utils\n_rebuild_tensor_v2\n(${storage}K\0K\x01\x85K\x01\x85\x89NtR`;
    const checkpoint = `}(${string('losses')}}(${steps.join('')}u${string('model')}}${string('w')}${tensor}su.`;
    expect(await rejection(() => opened(checkpoint))).toMatch(/a checkpoint with state dicts under "model"/);
  });

  it('may have the numbers of all classes of ImageNet beside a state dict', async () => {
    const numbers = Array.from({ length: 21_841 }, (_, i) => `J${u32(i)}`);
    const classes = `}(${numbers.map((number, i) => `${string(`n${i}`)}${number}`).join('')}u`;
    const names = `}(${numbers.map((number, i) => `${number}${string(`n${i}`)}`).join('')}u`;
    const tensor = `ctorch._utils\n_rebuild_tensor_v2\n(${storage}K\0K\x01\x85K\x01\x85\x89NtR`;
    const state = `}${string('w')}${tensor}s`;
    const checkpoint = `}(${string('to')}${classes}${string('of')}${names}${string('model')}${state}u.`;
    expect(await rejection(() => opened(checkpoint))).toMatch(/a checkpoint with state dicts under "model"/);
  });

  it('with one dict under many names are looked through once', async () => {
    const dict = `}q\x00(${Array.from({ length: 300 }, (_, i) => `${string(`k${i}`)}N`).join('')}u`;
    const names = Array.from({ length: 300 }, (_, i) => `${string(`n${i}`)}h\x00`);
    expect(await rejection(() => opened(`${dict}0}(${names.join('')}u.`))).toMatch(
      /a checkpoint with no tensors under "n0"/,
    );
  });

  it('nest as deep as they like', async () => {
    const deep = `${']'.repeat(200_000)}${'a'.repeat(199_999)}`;
    expect(await rejection(() => opened(`${deep}.`))).toBe(
      'FormatError: pth: expected a state dict, got [an array of 1]',
    );
  });

  it('of tensors that are no state dict are told as tensors', async () => {
    const storage = '(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x06tQ';
    const tensor = `ctorch._utils\n_rebuild_tensor_v2\n(${storage}K\0K\x02K\x03\x86K\x03K\x01\x86\x89NtR`;
    const told = 'a Tensor (float32, [2, 3])';
    const cases = [
      [`${tensor}.`, 'a tensor'],
      [`](${tensor}K\x01e.`, `[${told}, 1]`],
      [`}${tensor}K\x01s.`, `a checkpoint with no tensors under ${told}`],
    ] as const;
    for (const [pickle, got] of cases) {
      expect(await rejection(() => opened(pickle))).toBe(`FormatError: pth: expected a state dict, got ${got}`);
    }
  });

  it.each([
    ['2', '5', '1', /tensors within the 24 bytes of storage "0" in "a\/data\.pkl" at byte \d+, got one up to byte 28$/],
    ['0', '9', '1', /expected tensors within the 24 bytes of storage "0"/],
    ['0', '3', '9', /expected tensors within the 24 bytes of storage "0"/],
    ['-1', '3', '1', /offset, size and stride in "a\/data\.pkl" at byte \d+, got -1, \[3\], \[1\]$/],
    ['0', '3', '-1', /offset, size and stride in "a\/data\.pkl" at byte \d+, got 0, \[3\], \[-1\]$/],
  ])('tensors of offset %s, size %s, stride %s are refused', async (offset, size, stride, message) => {
    const words = (value: string) => {
      const buffer = Buffer.alloc(5);
      buffer.write('J', 'latin1');
      buffer.writeInt32LE(Number(value), 1);
      return buffer.toString('latin1');
    };
    // As Python writes what takes more than 32 bits, and Python 2 any `long`.
    const long1 = (value: string) => (Math.abs(Number(value)) < 128 ? `\x8a\x01${byte(value)}` : words(value));
    const long4 = (value: string) =>
      Math.abs(Number(value)) < 128 ? `\x8b\x02\0\0\0${byte(value)}${Number(value) < 0 ? '\xff' : '\0'}` : words(value);
    const byte = (value: string) => String.fromCharCode(Number(value) & 255);
    const unicode = (value: string) => `X${String.fromCharCode(value.length)}\0\0\0${value}`;
    for (const int of [words, long1, long4]) {
      const storage = `(${unicode('storage')}ctorch\nFloatStorage\n${unicode('0')}${unicode('cpu')}${int('6')}tQ`;
      const view = `${int(offset)}${int(size)}\x85${int(stride)}\x85`;
      const call = `ctorch._utils\n_rebuild_tensor_v2\n(${storage}${view}\x89NtR`;
      expect(await rejection(() => opened(`}${unicode('w')}${call}s.`)), int.name).toMatch(message);
    }
  });
});
