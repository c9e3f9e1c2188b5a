/** Files as PyTorch of other versions than the oracle's writes them, by hand. */

import { describe, expect, it } from 'vitest';
import { pthZip } from '../../scripts/pth.mjs';
import { BatchNorm2d, loadWeights, openWeights, Tensor } from '../../src/index.ts';
import {
  bytesOf,
  call,
  dict,
  global,
  i64,
  int,
  legacyWith,
  pickledTensor,
  text,
  tuple,
  u32,
  zipWith,
} from '../support/pickle.ts';
import { zipOf, zipParts } from '../support/zip.ts';

const floats = (...values: readonly number[]) => new Tensor(Float32Array.from(values), [values.length]);
const storages = { 0: [1, 2] };

/** A text as Python 2 pickled it. */
const oldText = (value: string) => `U${String.fromCharCode(value.length)}${value}`;

describe('legacy files', () => {
  it('of PyTorch 0.3 have four arguments for a tensor, texts of Python 2 and no num_batches_tracked', async () => {
    const old = { rebuilder: 'torch._utils._rebuild_tensor', rest: [] };
    const names = ['weight', 'bias', 'running_mean', 'running_var'];
    const items = names.map((name, i) => oldText(name) + pickledTensor({ ...old, key: `9400${i}` })).join('');
    const values = Object.fromEntries(names.map((_, i) => [`9400${i}`, [i + 1, i + 2]]));
    const norm = new BatchNorm2d(2);
    const file = await openWeights(legacyWith(`${global('collections.OrderedDict')})R(${items}u`, values));
    expect(await norm.loadStateDictAsync(file)).toEqual({ missingKeys: [], unexpectedKeys: [] });
    expect(norm.running_var.tensor).toEqual(floats(4, 5));
  });

  it('have views of storages, each by the key of the whole one', async () => {
    const view = (key: string, first: number, count: number) => tuple(text(key), int(first), int(count));
    const object = dict({
      all: pickledTensor({ count: 6, view: 'N' }),
      some: pickledTensor({ count: 6, view: view('7', 2, 3), shape: [2], offset: 1 }),
    });
    expect([...(await loadWeights(legacyWith(object, { 0: [1, 2, 3, 4, 5, 6] })))]).toEqual([
      ['all', floats(1, 2, 3, 4, 5, 6)],
      ['some', floats(4, 5)],
    ]);
  });

  it('have their storages little-endian, whatever they say of the machine that wrote them', async () => {
    const bytes = legacyWith(dict({ w: pickledTensor() }), storages, false);
    expect([...(await loadWeights(bytes))]).toEqual([['w', floats(1, 2)]]);
  });

  it.each([
    ['QInt8', 4],
    ['QUInt8', 4],
    ['QInt32', 1],
  ])('may have a quantized tensor first, of a %s storage', async (type, count) => {
    const storage = `${tuple(text('storage'), global(`torch.${type}Storage`), text('q'), text('cpu'), int(count))}Q`;
    const scheme = tuple(global('torch.per_tensor_affine'), `G${'\0'.repeat(8)}`, int(0));
    const shape = [tuple(int(count)), tuple(int(1))];
    const none = call('collections.OrderedDict');
    const quantized = call('torch._utils._rebuild_qtensor', storage, int(0), ...shape, scheme, '\x89', none);
    const object = dict({ q: quantized, w: pickledTensor() });
    const bytes = legacyWith(object, { q: [9], 0: [1, 2] });
    // The storage of one float is one of as many elements of the other dtype.
    const [begin] = [...bytes.keys()].filter((at) => i64(1) === String.fromCharCode(...bytes.subarray(at, at + 8)));
    bytes[begin!] = count;
    expect([...(await loadWeights(bytes))]).toEqual([['w', floats(1, 2)]]);
  });

  it('have pairs in a list as the items of an ordered dict', async () => {
    const pair = `](${text('w')}${pickledTensor()}e`;
    const object = call('collections.OrderedDict', `](${pair}e`);
    expect([...(await loadWeights(legacyWith(object, storages)))]).toEqual([['w', floats(1, 2)]]);
  });

  it('may name the place where each tensor was', async () => {
    const cuda = pickledTensor().replace(text('cpu'), text('cuda:0'));
    expect([...(await loadWeights(legacyWith(dict({ w: cuda }), storages)))]).toEqual([['w', floats(1, 2)]]);
  });
});

describe('zip files of newer PyTorch', () => {
  it('have entries beside the pickle and the storages, aligned to 64 bytes', async () => {
    const bytes = pthZip(
      new Map([['w', { dtype: 'float32', shape: [2], bytes: new Uint8Array(Float32Array.of(1, 2).buffer) }]]),
    );
    const file = Buffer.concat(bytes);
    const more = zipOf([
      ...zipParts(file),
      { name: 'archive/.format_version', content: bytesOf('1') },
      { name: 'archive/.storage_alignment', content: bytesOf('64') },
    ]);
    for (const one of [file, more]) expect([...(await loadWeights(one))]).toEqual([['w', floats(1, 2)]]);
    // The content of each entry begins at a multiple of 64 bytes, behind a field FB.
    const begin = file.indexOf('archive/data/0') + 'archive/data/0'.length;
    expect(file.toString('latin1', begin, begin + 2)).toBe('FB');
    expect((begin + 4 + file.readUInt16LE(begin + 2)) % 64).toBe(0);
  });

  it('say a tensor’s dtype where its storage has none', async () => {
    const rest = (dtype: string) => ['\x89', call('collections.OrderedDict'), global(dtype)];
    const untyped = { rebuilder: 'torch._utils._rebuild_tensor_v3', type: 'torch.storage.UntypedStorage', count: 8 };
    const object = dict({
      w: pickledTensor({ ...untyped, shape: [2], rest: rest('torch.float32') }),
      b: pickledTensor({ ...untyped, shape: [4], rest: rest('torch.bfloat16') }),
    });
    expect([...(await loadWeights(zipWith(object, storages)))]).toEqual([
      ['w', floats(1, 2)],
      ['b', new Tensor(Uint16Array.of(0, 0x3f80, 0, 0x4000), [4], 'bfloat16')],
    ]);
  });

  it.each(['neg', 'conj'])('give no tensor whose elements are not those that are stored: %s', async (bit) => {
    const with_ = (bits: string) => pickledTensor({ rest: ['\x89', call('collections.OrderedDict'), bits] });
    const object = dict({ w: with_(dict({})), changed: with_(dict({ [bit]: '\x88' })) });
    expect([...(await loadWeights(zipWith(object, storages)))]).toEqual([['w', floats(1, 2)]]);
  });

  it('have parameters with a state, and subclasses of tensors', async () => {
    const none = call('collections.OrderedDict');
    const parameter = call('torch._utils._rebuild_parameter_with_state', pickledTensor(), '\x89', none, dict({}));
    const inner = pickledTensor();
    const arguments_ = inner.slice(inner.indexOf('('), -1);
    const subclass = call(
      'torch._tensor._rebuild_from_type_v2',
      global('torch._utils._rebuild_tensor_v2'),
      global('timm.Tensor'),
      arguments_,
      dict({}),
    );
    expect([...(await loadWeights(zipWith(dict({ parameter, subclass }), storages)))]).toEqual([
      ['parameter', floats(1, 2)],
      ['subclass', floats(1, 2)],
    ]);
  });

  it.each([4, 5])('are pickled by protocol %i, with frames, short texts and notes', async (protocol) => {
    const short = (value: string) => `\x8c${String.fromCharCode(value.length)}${value}\x94`;
    const name = (module: string, own: string) => `${short(module)}${short(own)}\x93\x94`;
    const storage = `(${short('storage')}${name('torch', 'FloatStorage')}${short('0')}${short('cpu')}K\x02t\x94Q`;
    const rebuilt = name('torch._utils', '_rebuild_tensor_v2');
    const tensor = `${rebuilt}(${storage}K\x00K\x02\x85\x94K\x01\x85\x94\x89}\x94t\x94R\x94`;
    const framed = (opcodes: string) => `\x95${i64(opcodes.length)}${opcodes}`;
    const object = framed(`}\x94${short('w')}${tensor}s.`);
    const bytes = zipOf([
      { name: 'x/data.pkl', content: bytesOf(`\x80${String.fromCharCode(protocol)}${object}`) },
      { name: 'x/data/0', content: new Uint8Array(Float32Array.of(1, 2).buffer) },
    ]);
    expect([...(await loadWeights(bytes))]).toEqual([['w', floats(1, 2)]]);
  });

  it('hold numbers of any size, bytes, sets and floats beside the tensors', async () => {
    const others = {
      big: `\x8b${u32(9)}\xff\xff\xff\xff\xff\xff\xff\xff\x00`,
      negative: '\x8a\x01\xff',
      float: 'G?\xf0\0\0\0\0\0\0',
      bytes: `B${u32(2)}ab`,
      set: '\x8f(K\x01K\x02\x90',
      frozen: '(K\x01\x91',
      unknown: `${call('numpy.core.multiarray.scalar', text('f8'), `C\x02ab`)}${dict({ a: 'N' })}b`,
      device: call('torch.device', text('cpu')),
    };
    const bytes = zipWith(dict({ ...others, w: pickledTensor() }), storages);
    expect([...(await loadWeights(bytes))]).toEqual([['w', floats(1, 2)]]);
  });
});
