/** safetensors from bytes and back: the format's rules, each broken once, and what the message says. */

import { describe, expect, it } from 'vitest';
import {
  MAX_SAFETENSORS_HEADER_BYTES,
  parseSafetensorsHeader,
  safetensorsHeaderBytes,
} from '../../src/formats/safetensors-header.ts';
import { decodeSafetensorsTensor, loadSafetensors, readSafetensors } from '../../src/formats/safetensors-read.ts';
import { saveSafetensors } from '../../src/formats/safetensors-write.ts';
import type { Dtype } from '../../src/tensor/dtype.ts';
import { arrayOf, DTYPES } from '../../src/tensor/dtype.ts';
import { Tensor, tensor } from '../../src/tensor/tensor.ts';
import { thrown } from '../support/thrown.ts';

const ALL_DTYPES =
  'BOOL, F4, F6_E2M3, F6_E3M2, U8, I8, F8_E5M2, F8_E4M3, F8_E8M0, F8_E4M3FNUZ, F8_E5M2FNUZ, I16, U16, F16, BF16, ' +
  'I32, U32, F32, C64, F64, I64, U64';

/** A file with the given header and as many data bytes: 0, 1, 2, … */
function file(header: string | Uint8Array, dataBytes = 0): Uint8Array {
  const bytes = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const out = new Uint8Array(8 + bytes.length + dataBytes);
  new DataView(out.buffer).setBigUint64(0, BigInt(bytes.length), true);
  out.set(bytes, 8);
  for (let i = 0; i < dataBytes; i++) out[8 + bytes.length + i] = i;
  return out;
}

/** One tensor's member of a header. */
function entry(name: string, dtype: string, shape: readonly unknown[], begin: unknown, end: unknown): string {
  return `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape}],"data_offsets":[${begin},${end}]}`;
}

/** What reading a file with this header says after `FormatError: safetensors: `. */
function fault(header: string, dataBytes = 0): string {
  const message = thrown(() => readSafetensors(file(header, dataBytes)));
  expect(message).toMatch(/^FormatError: safetensors: /);
  return message.slice('FormatError: safetensors: '.length);
}

const PYTORCH = 'a .pth or .pt file; openWeights reads it';
const PAGE = 'an HTML or XML page; is the URL right? On Hugging Face, files are at /resolve/, not /blob/';
const JSON_FILE = 'JSON; if it is an index, open the files that it names';

describe('the length before the header', () => {
  it('needs eight bytes', () => {
    expect(thrown(() => readSafetensors(new Uint8Array(0)))).toBe(
      'FormatError: safetensors: expected at least 8 bytes, got 0',
    );
    expect(thrown(() => readSafetensors(new Uint8Array(7)))).toBe(
      'FormatError: safetensors: expected at least 8 bytes, got 7',
    );
  });

  it('is at most 100,000,000', () => {
    const bytes = Uint8Array.of(1, 0xe1, 0xf5, 5, 0, 0, 0, 0, 0x7b, 0x7d);
    expect(thrown(() => readSafetensors(bytes))).toBe(
      'FormatError: safetensors: expected a header of at most 100000000 bytes, got 100000001; is it a safetensors ' +
        'file?',
    );
  });

  it('is read as 64 bits, the high ones too', () => {
    const bytes = Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0x80, 0x7b, 0x7d);
    expect(thrown(() => readSafetensors(bytes))).toContain('got 9223372036854775810');
    expect(thrown(() => readSafetensors(new Uint8Array(16).fill(255)))).toContain('got 18446744073709551615');
  });

  it('does not reach beyond the file', () => {
    expect(thrown(() => readSafetensors(file('{}').subarray(0, 9)))).toBe(
      'FormatError: safetensors: header ends at byte 10 of 9',
    );
  });

  it("can be read from a file's first bytes", () => {
    const bytes = file('{}', 0);
    expect(safetensorsHeaderBytes(bytes.subarray(0, 8), 10)).toBe(2);
    expect(thrown(() => safetensorsHeaderBytes(bytes, 4))).toContain('expected at least 8 bytes, got 4');
  });
});

describe('the header as text', () => {
  it('is UTF-8, without a byte order mark', () => {
    expect(thrown(() => readSafetensors(file(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d))))).toBe(
      'FormatError: safetensors: expected a header in UTF-8, got bytes that are not',
    );
    expect(fault('\ufeff{}')).toBe('expected a JSON object at character 0 of the header, got "\ufeff"');
  });

  it('is JSON', () => {
    expect(fault('')).toBe('expected a JSON object at character 0 of the header, got its end');
    expect(fault('[]')).toBe('expected a JSON object at character 0 of the header, got "["');
    expect(fault('{')).toBe('expected a tensor name at character 1 of the header, got its end');
    expect(fault('{"a')).toBe('expected the rest of a string at character 3 of the header, got its end');
    expect(fault('{"a\n"')).toBe('expected the rest of a string at character 3 of the header, got "\\n"');
    expect(fault('{"a"}')).toBe('expected ":" at character 4 of the header, got "}"');
    expect(fault(`{${entry('a', 'U8', [], 0, 1)} 😀}`, 1)).toBe(
      'expected "," or "}" at character 52 of the header, got "😀"',
    );
    expect(fault(`{${entry('a', 'U8', [], 0, 1)},}`, 1)).toBe(
      'expected a tensor name at character 52 of the header, got "}"',
    );
    expect(fault('{} {}')).toBe('expected the end at character 3 of the header, got "{"');
    expect(fault('{}\0')).toBe('expected the end at character 2 of the header, got "\\u0000"');
  });

  it('may have white space around it and inside', () => {
    for (const header of ['{}  ', '  {}', ' \t\r\n{ \n } ']) expect(readSafetensors(file(header)).tensors.size).toBe(0);
    const header = entry('a', 'U8', ['1 ', ' 2'], ' 0 ', '\t2').replaceAll(':', ' : ');
    expect(loadSafetensors(file(`{ ${header} }  `, 2)).get('a')!.shape).toEqual([1, 2]);
  });

  it('may escape what it likes, but not half of a surrogate pair', () => {
    const escaped = entry('NAME', 'U8', [], 0, 1).replace('NAME', '\\u0061\\/\\n\\ud83d\\ude00');
    expect([...readSafetensors(file(`{${escaped}}`, 1)).tensors.keys()]).toEqual(['a/\n😀']);
    expect(fault('{"\\ud800":{}}')).toBe(
      'expected a string with valid escapes at character 1 of the header, got "\\ud800"',
    );
    expect(fault('{"\\x":{}}')).toBe('expected a string with valid escapes at character 1 of the header, got "\\x"');
  });

  it('ends in a FormatError however deep it is nested', () => {
    expect(fault('{"a":'.repeat(100000))).toBe(
      'tensor "a": expected the fields dtype, shape and data_offsets, got "a"',
    );
    expect(fault('['.repeat(100000))).toBe('expected a JSON object at character 0 of the header, got "["');
    expect(fault(`{"a":{"shape":${'['.repeat(100000)}`)).toBe(
      'expected whole numbers as shape of tensor "a" at character 15 of the header, got "["',
    );
  });

  it('keeps messages short where names are long', () => {
    expect(fault(`{"${'x'.repeat(1000)}":1}`)).toBe(
      `expected an object for tensor "${'x'.repeat(100)}…" at character 1004 of the header, got "1"`,
    );
  });
});

describe('__metadata__', () => {
  it('is a map of strings, in the order of the file', () => {
    const { metadata } = readSafetensors(file('{"__metadata__":{"format":"pt","10":"","9":"\\"","__proto__":"x"}}'));
    expect([...metadata]).toEqual([
      ['format', 'pt'],
      ['10', ''],
      ['9', '"'],
      ['__proto__', 'x'],
    ]);
    expect(readSafetensors(file('{}')).metadata.size).toBe(0);
  });

  it('holds nothing but strings', () => {
    expect(fault('{"__metadata__":{"n":1}}')).toBe(
      'expected a string under key "n" of __metadata__ at character 21 of the header, got "1"',
    );
    expect(fault('{"__metadata__":null}')).toBe(
      'expected an object under __metadata__ at character 16 of the header, got "n"',
    );
    expect(fault('{"__metadata__":{1:""}}')).toBe(
      'expected a key of __metadata__ at character 17 of the header, got "1"',
    );
  });

  it('has no key twice, and is there once', () => {
    expect(fault('{"__metadata__":{"a":"1","\\u0061":"1"}}')).toBe('__metadata__ has key "a" twice');
    expect(fault('{"__metadata__":{},"__metadata__":{}}')).toBe('__metadata__ appears twice');
  });
});

describe("a tensor's entry", () => {
  it('says the same whether it is written as usual, with white space, or in another order', () => {
    const kinds = (dtype: string, shape: string, offsets: string) => [
      `{"a":{"dtype":"${dtype}","shape":[${shape}],"data_offsets":[${offsets}]}}`,
      `{"a":{"dtype":"${dtype}", "shape":[${shape}], "data_offsets":[${offsets}]}}`,
      `{"a":{"shape":[${shape}],"data_offsets":[${offsets}],"dtype":"${dtype}"}}`,
    ];
    for (const [dtype, shape, offsets] of [
      ['U8', '2', '0,2'],
      ['U8', '', '0,1'],
      ['F16', '3,1,0,2', '0,0'],
      ['U8', '1,2,3,4,5,6,7', '0,5040'],
    ] as const) {
      const end = Number(offsets.split(',')[1]);
      const [first, ...others] = kinds(dtype, shape, offsets).map((header) => [
        ...readSafetensors(file(header, end)).tensors,
      ]);
      expect(first).toEqual([['a', { dtype, shape: shape.split(',').filter(Boolean).map(Number), begin: 0, end }]]);
      for (const other of others) expect(other).toEqual(first);
    }
    // Where it is refused, only the character may differ.
    for (const [dtype, shape, offsets] of [
      ['U8', '02', '0,2'],
      ['U8', '2,', '0,2'],
      ['U8', ',2', '0,2'],
      ['U8', '2', '0,02'],
      ['U8', '2', '0,2e0'],
      ['U8', '2', '0,9007199254740992'],
      ['U8', '9007199254740993', '0,2'],
      ['U8', '2', '0,2,4'],
      ['U8', '-2', '0,2'],
      ['U7', '2', '0,2'],
      ['', '2', '0,2'],
    ] as const) {
      const [first, ...others] = kinds(dtype, shape, offsets).map((header) =>
        fault(header, 2).replace(/character \d+/, 'character'),
      );
      for (const other of others) expect(other).toBe(first);
    }
  });

  it('appears once, however its name is escaped', () => {
    const a = entry('a', 'U8', [0], 0, 0);
    expect(fault(`{${a},${a}}`)).toBe('tensor "a" appears twice');
    expect(fault(`{${a},${a.replace('a', '\\u0061')}}`)).toBe('tensor "a" appears twice');
  });

  it('has each of its three fields once, and no other', () => {
    expect(fault('{"a":{"dtype":"U8","dtype":"U8","shape":[],"data_offsets":[0,1]}}', 1)).toBe(
      'tensor "a" has dtype twice',
    );
    expect(fault('{"a":{"shape":[],"shape":[],"dtype":"U8","data_offsets":[0,1]}}', 1)).toBe(
      'tensor "a" has shape twice',
    );
    expect(fault('{"a":{"data_offsets":[0,1],"data_offsets":[0,1]}}', 1)).toBe('tensor "a" has data_offsets twice');
    expect(fault('{"a":{"shape":[],"data_offsets":[0,1]}}', 1)).toBe('tensor "a" has no dtype');
    expect(fault('{"a":{"dtype":"U8","data_offsets":[0,1]}}', 1)).toBe('tensor "a" has no shape');
    expect(fault('{"a":{"dtype":"U8","shape":[]}}', 1)).toBe('tensor "a" has no data_offsets');
    expect(fault('{"a":{}}')).toBe('tensor "a" has no dtype');
    for (const field of ['offsets', 'toString', '__proto__']) {
      expect(fault(`{"a":{"${field}":[]}}`)).toBe(
        `tensor "a": expected the fields dtype, shape and data_offsets, got "${field}"`,
      );
    }
    expect(fault('{"a":{1:2}}')).toBe('expected a field of tensor "a" at character 6 of the header, got "1"');
  });

  it('has a dtype of the format', () => {
    expect(fault(`{${entry('a', 'F33', [], 0, 4)}}`, 4)).toBe(
      `tensor "a": expected a dtype of ${ALL_DTYPES}, got "F33"`,
    );
    expect(fault(`{${entry('a', 'constructor', [], 0, 4)}}`, 4)).toContain('got "constructor"');
    expect(fault('{"a":{"dtype":3}}')).toBe(
      'expected a string as dtype of tensor "a" at character 14 of the header, got "3"',
    );
  });

  it('has whole numbers as sizes and offsets', () => {
    const shape = 'expected whole numbers as shape of tensor "a"';
    expect(fault(`{${entry('a', 'U8', ['-1'], 0, 1)}}`, 1)).toBe(`${shape} at character 28 of the header, got "-"`);
    expect(fault(`{${entry('a', 'U8', ['1.0'], 0, 1)}}`, 1)).toBe(`${shape} at character 29 of the header, got "."`);
    expect(fault(`{${entry('a', 'U8', ['1e0'], 0, 1)}}`, 1)).toBe(`${shape} at character 29 of the header, got "e"`);
    expect(fault(`{${entry('a', 'U8', ['"1"'], 0, 1)}}`, 1)).toBe(`${shape} at character 28 of the header, got "\\""`);
    expect(fault(`{${entry('a', 'U8', ['01'], 0, 1)}}`, 1)).toBe(
      `${shape} without leading zeros at character 28 of the header, got "0"`,
    );
    expect(fault(`{${entry('a', 'U8', [1, ''], 0, 1)}}`, 1)).toBe(`${shape} at character 30 of the header, got "]"`);
    expect(fault(`{${entry('a', 'U8', ['1 1'], 0, 1)}}`, 1)).toBe(
      'expected "," or "]" at character 30 of the header, got "1"',
    );
    expect(fault(`{${entry('a', 'U8', [], 0, 'true')}}`, 1)).toBe(
      'expected whole numbers as data_offsets of tensor "a" at character 48 of the header, got "t"',
    );
    expect(fault('{"a":{"data_offsets":[0,1,2]}}')).toBe('tensor "a" has no dtype');
    expect(fault('{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1,2]}}')).toBe(
      'tensor "a": expected 2 data_offsets, got 3',
    );
  });

  it('has no number beyond 2⁵³ - 1', () => {
    expect(fault(`{${entry('a', 'U8', ['18446744073709551616'], 0, 1)}}`, 1)).toBe(
      'expected whole numbers as shape of tensor "a" up to 9007199254740991, got 18446744073709551616',
    );
    expect(fault(`{${entry('a', 'U8', [], 0, '9'.repeat(400))}}`, 1)).toBe(
      `expected whole numbers as data_offsets of tensor "a" up to 9007199254740991, got ${'9'.repeat(100)}…`,
    );
  });

  it('asks for as many bytes as its offsets span', () => {
    expect(fault(`{${entry('a', 'F32', [2, 2], 0, 15)}}`, 15)).toBe(
      'tensor "a": expected 16 bytes for F32 [2, 2], got 15 (from 0 to 15)',
    );
    expect(fault(`{${entry('a', 'F32', [0], 0, 4)}}`, 4)).toBe(
      'tensor "a": expected 0 bytes for F32 [0], got 4 (from 0 to 4)',
    );
  });

  it('does not overflow', () => {
    expect(fault(`{${entry('a', 'F32', [2, 9007199254740991], 0, 16)}}`, 16)).toBe(
      'tensor "a": expected at most 9007199254740991 bits, got F32 [2, 9007199254740991]',
    );
    const wraps = entry('a', 'U8', [4294967296, 4294967296], 0, 0);
    expect(fault(`{${wraps}}`)).toContain('expected at most 9007199254740991 bits');
  });

  it('is whole bytes', () => {
    expect(fault(`{${entry('a', 'F4', [3], 0, 1)}}`, 1)).toBe('tensor "a": expected whole bytes, got 12 bits of F4');
    expect(readSafetensors(file(`{${entry('a', 'F6_E2M3', [4], 0, 3)}}`, 3)).tensors.size).toBe(1);
  });

  it('may be a scalar or empty', () => {
    const header = `{${entry('s', 'U8', [], 0, 1)},${entry('z', 'F32', [2, 0], 1, 1)},${entry('y', 'I64', [0], 0, 0)}}`;
    const tensors = loadSafetensors(file(header, 1));
    expect(Array.from(tensors, ([name, { shape }]) => [name, shape])).toEqual([
      ['y', [0]],
      ['s', []],
      ['z', [2, 0]],
    ]);
  });
});

describe('a shape of many axes', () => {
  const ones = (axes: number) => `{${entry('a', 'U8', new Array(axes).fill(1), 0, 1)}}`;

  it('is read where a tensor of PyTorch may have as many', () => {
    expect(readSafetensors(file(ones(64), 1)).tensors.get('a')!.shape).toEqual(new Array(64).fill(1));
  });

  it('is refused beyond, at the first number too many', () => {
    for (const axes of [65, 2 ** 21]) {
      expect(fault(ones(axes), 1)).toBe(
        'expected at most 64 whole numbers as shape of tensor "a" at character 156 of the header, got "1"',
      );
    }
  });
});

describe('the tensors of a file', () => {
  it('begin at its first byte, and each where the one before ended', () => {
    expect(fault(`{${entry('a', 'U8', [1], 1, 2)}}`, 2)).toBe(
      'tensor "a" begins at byte 1, after a hole: expected byte 0',
    );
    expect(fault(`{${entry('b', 'U8', [1], 3, 4)},${entry('a', 'U8', [2], 0, 2)}}`, 4)).toBe(
      'tensor "b" begins at byte 3, after a hole: expected byte 2',
    );
    expect(fault(`{${entry('a', 'U8', [2], 0, 2)},${entry('b', 'U8', [2], 1, 3)}}`, 3)).toBe(
      'tensor "b" begins at byte 1, inside of another tensor: expected byte 2',
    );
    expect(fault(`{${entry('a', 'U8', [2], 0, 2)},${entry('b', 'U8', [2], 0, 2)}}`, 2)).toBe(
      'tensor "b" begins at byte 0, inside of another tensor: expected byte 2',
    );
  });

  it('do not end before they begin', () => {
    expect(fault(`{${entry('a', 'U8', [4], 0, 4)},${entry('b', 'U8', [0], 4, 2)}}`, 4)).toBe(
      'tensor "b": expected 0 bytes for U8 [0], got -2 (from 4 to 2)',
    );
  });

  it('do not end after the file', () => {
    expect(fault(`{${entry('conv1.weight', 'F32', [9427], 0, 37708)}}`, 37632)).toBe(
      'the end is missing: tensors end at byte 37708 of 37632 behind the header',
    );
  });

  it('fill the file', () => {
    expect(fault(`{${entry('a', 'U8', [4], 0, 4)}}`, 5)).toBe('tensors end at byte 4 of 5 behind the header');
    expect(fault('{}', 1)).toBe('tensors end at byte 0 of 1 behind the header');
  });

  it('come in the order of their bytes, also where names look like integers', () => {
    const header = `{${entry('2', 'U8', [1], 2, 3)},${entry('1', 'U8', [1], 1, 2)},${entry('z', 'U8', [1], 0, 1)}}`;
    expect([...loadSafetensors(file(header, 3)).keys()]).toEqual(['z', '1', '2']);
  });

  it('may be called __proto__ or nothing', () => {
    const tensors = loadSafetensors(file(`{${entry('__proto__', 'U8', [1], 0, 1)},${entry('', 'U8', [1], 1, 2)}}`, 2));
    expect([...tensors.keys()]).toEqual(['__proto__', '']);
  });
});

describe('reading a tensor', () => {
  const headerOf = (bytes: number, members: string) => `{${members}}`.padEnd(bytes);

  it('is a view of the file where its bytes are aligned', () => {
    const bytes = file(headerOf(64, entry('a', 'F32', [2], 0, 8)), 8);
    const a = readSafetensors(bytes).get('a');
    expect(a.data.buffer).toBe(bytes.buffer);
    expect([...new Uint8Array(a.data.buffer, a.data.byteOffset, 8)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('is a copy where they are not', () => {
    const members = `${entry('u', 'U8', [1], 0, 1)},${entry('a', 'F32', [2], 1, 9)}`;
    const bytes = file(headerOf(128, members), 9);
    const a = loadSafetensors(bytes).get('a')!;
    expect(a.data.buffer).not.toBe(bytes.buffer);
    expect([...new Uint8Array(a.data.buffer, a.data.byteOffset, 8)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('works from any offset of a larger buffer, and from a bare ArrayBuffer', () => {
    const bytes = saveSafetensors([['a', tensor([1, 2.5, -3], [3])]]);
    for (let offset = 0; offset < 8; offset++) {
      const larger = new Uint8Array(bytes.length + 16);
      larger.set(bytes, offset);
      const a = readSafetensors(larger.subarray(offset, offset + bytes.length)).get('a');
      expect([...a.data]).toEqual([1, 2.5, -3]);
    }
    expect([...loadSafetensors(bytes.buffer).get('a')!.data]).toEqual([1, 2.5, -3]);
  });

  it('fails for a dtype that layertap has not, and only then', () => {
    for (const [dtype, size] of [
      ['F4', 2],
      ['F6_E3M2', 4],
      ['F8_E4M3', 1],
      ['F8_E8M0', 1],
      ['U16', 1],
      ['U32', 1],
      ['C64', 1],
      ['U64', 1],
    ] as const) {
      const bits = { F4: 8, F6_E3M2: 24, F8_E4M3: 8, F8_E8M0: 8, U16: 16, U32: 32, C64: 64, U64: 64 }[dtype];
      const end = bits / 8;
      const bytes = file(`{${entry('a', dtype, [size], 0, end)},${entry('b', 'U8', [1], end, end + 1)}}`, end + 1);
      const read = readSafetensors(bytes);
      expect([...read.get('b').data]).toEqual([end]);
      const message =
        'FormatError: safetensors: tensor "a": expected a dtype of BOOL, U8, I8, I16, F16, BF16, I32, F32, ' +
        `F64, I64, got ${dtype}`;
      expect(thrown(() => read.get('a'))).toBe(message);
      expect(thrown(() => loadSafetensors(bytes))).toBe(message);
    }
  });

  it('lists what there is where a name is not', () => {
    const members = Array.from({ length: 9 }, (_, i) => entry(`t${i}`, 'U8', [0], 0, 0));
    expect(thrown(() => readSafetensors(file(`{${members}}`)).get('conv1'))).toBe(
      'KeyError: safetensors: expected a tensor of "t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7" and 1 more, got "conv1"',
    );
    expect(thrown(() => readSafetensors(file('{}')).get('a'))).toBe(
      'KeyError: safetensors: expected a tensor of none, got "a"',
    );
  });

  it('refuses what is not binary', () => {
    for (const [given, got] of [
      ['model.safetensors', '"model.safetensors"; read the file first, or open its URL with openSafetensors'],
      ['https://me:pw@host/w?token=1', '"https://host/w"; read the file first, or open its URL with openSafetensors'],
      [undefined, 'undefined'],
      [Promise.resolve(), 'a Promise that was not awaited; await it first'],
      [new Blob([]), 'a Blob; await its arrayBuffer()'],
      [{ load() {} }, '{ load }; it is open already: await its load()'],
      [[1, 2], '[1, 2]'],
    ] as const) {
      for (const read of [readSafetensors, loadSafetensors]) {
        expect(thrown(() => read(given as never))).toBe(
          `ValueError: ${read.name}: expected a Uint8Array or an ArrayBuffer, got ${got}`,
        );
      }
    }
    expect(thrown(() => parseSafetensorsHeader('{}' as never, 0))).toContain(
      'parseSafetensorsHeader: expected a Uint8',
    );
    expect(thrown(() => safetensorsHeaderBytes('{}' as never, 0))).toContain(
      'safetensorsHeaderBytes: expected a Uint8',
    );
    expect(thrown(() => safetensorsHeaderBytes(new Uint8Array(8), '8' as never))).toBe(
      'ValueError: safetensorsHeaderBytes: expected fileBytes as a number >= 0, got "8"',
    );
    const info = { dtype: 'U8', shape: [], begin: 0, end: 1 } as const;
    expect(thrown(() => decodeSafetensorsTensor('a', info, 'x' as never))).toContain(
      'decodeSafetensorsTensor: expected a Uint8',
    );
  });

  it('refuses what was given away', () => {
    for (const read of [readSafetensors, loadSafetensors]) {
      const bytes = saveSafetensors([]);
      structuredClone(bytes, { transfer: [bytes.buffer] });
      expect(thrown(() => read(bytes))).toBe(
        `ValueError: ${read.name}: expected bytes, got a detached Uint8Array; pass a copy to what took it`,
      );
      expect(thrown(() => read(bytes.buffer))).toBe(
        `ValueError: ${read.name}: expected bytes, got a detached ArrayBuffer; pass a copy to what took it`,
      );
    }
  });

  it.each([
    ['PK\x03\x04\x00\x00\x08\x08', PYTORCH],
    ['PK\x03\x04\x00\x00\x00\x00', PYTORCH],
    ['\x80\x02\x8a\nl\xfc\x9cF', PYTORCH],
    ['<!DOCTYPE html>', PAGE],
    ['\n  <html>', PAGE],
    ['<?xml version="1.0"?><Error><Code>AccessDenied', PAGE],
    ['version https://git-lfs.github.com/spec/v1\noid sha256:4d7a', 'a git-lfs pointer; run git lfs pull'],
    ['{"error":"Not Found"}', JSON_FILE],
    ['[1, 2, 3]', JSON_FILE],
    ['\xef\xbb\xbf{"weight_map": {}}', JSON_FILE],
    ['\x1f\x8b\x08\x00\x00\x00\x00\x00\x00', 'gzip; decompress it first'],
  ])('tells by the first bytes what else a file is: %j', (begin, what) => {
    // Also where the first eight bytes, taken for a length, lie within the file.
    for (const length of [begin.length, 600_000]) {
      const file = new Uint8Array(Math.max(length, begin.length));
      file.set(Array.from(begin, (letter) => letter.charCodeAt(0)));
      const message = `FormatError: safetensors: expected a safetensors file, got ${what}`;
      expect(thrown(() => loadSafetensors(file))).toBe(message);
      expect(thrown(() => safetensorsHeaderBytes(file.subarray(0, 9), file.length))).toBe(message);
    }
  });

  it('is a safetensors file whatever its length says, where a header follows', () => {
    // 0x7b is a brace: the first byte of JSON.
    for (const first of [0x3c, 0x7b, 0x5b]) {
      const text = '{}'.padEnd(first, ' ');
      const file = new Uint8Array(8 + first);
      file[0] = first;
      file.set(new TextEncoder().encode(text), 8);
      expect(loadSafetensors(file).size).toBe(0);
      expect(safetensorsHeaderBytes(file, file.length)).toBe(first);
      expect(safetensorsHeaderBytes(file.subarray(0, 8), file.length)).toBe(first);
      file.set(new TextEncoder().encode(` ${text}`.slice(0, first)), 8);
      expect(loadSafetensors(file).size).toBe(0);
    }
  });

  it('works step by step, without the rest of the file', () => {
    const bytes = saveSafetensors([
      ['a', tensor([1, 2], [2])],
      ['b', tensor([3], [])],
    ]);
    const length = safetensorsHeaderBytes(bytes.slice(0, 8), bytes.length);
    const { tensors } = parseSafetensorsHeader(bytes.slice(8, 8 + length), bytes.length - 8 - length);
    const b = tensors.get('b')!;
    expect(b).toEqual({ dtype: 'F32', shape: [], begin: 8, end: 12 });
    expect(decodeSafetensorsTensor('b', b, bytes.slice(8 + length + b.begin, 8 + length + b.end)).data[0]).toBe(3);
    expect(thrown(() => decodeSafetensorsTensor('b', b, new Uint8Array(3)))).toBe(
      'FormatError: safetensors: tensor "b": expected 4 bytes of data, got 3',
    );
  });
});

describe('saveSafetensors', () => {
  /** A tensor whose bytes are all `byte`. */
  function filled(dtype: Dtype, shape: number[], byte: number): Tensor {
    const bytes = new Uint8Array(shape.reduce((a, b) => a * b, arrayOf(dtype).BYTES_PER_ELEMENT)).fill(byte);
    return new Tensor(
      new (arrayOf(dtype))(bytes.buffer, 0, bytes.length / arrayOf(dtype).BYTES_PER_ELEMENT),
      shape,
      dtype,
    );
  }

  const every: [string, Tensor][] = [
    ['w', filled('float32', [2], 1)],
    ['é', filled('int64', [1], 2)],
    ['a\n"\u2028', filled('float32', [], 3)],
    ['u', filled('uint8', [3], 4)],
    ['b', filled('bool', [1], 5)],
    ['d', filled('float64', [0], 6)],
    ['h', filled('float16', [1], 7)],
    ['bf', filled('bfloat16', [1], 8)],
    ['i8', filled('int8', [1], 9)],
    ['i32', filled('int32', [1], 10)],
    ['😀', filled('uint8', [1], 11)],
    ['\uffee', filled('uint8', [1], 12)],
    ['i16', filled('int16', [1], 13)],
    ['10', filled('uint8', [1], 14)],
    ['9', filled('uint8', [1], 15)],
  ];

  it("equals the reference writer's bytes (safetensors 0.8.0, all dtypes, names of all kinds)", () => {
    const bytes = saveSafetensors(every, [['format', 'pt']]);
    expect(new TextDecoder().decode(bytes)).toBe(Buffer.from(REFERENCE_FILE, 'base64').toString());
    expect(Buffer.from(bytes).toString('base64')).toBe(REFERENCE_FILE);
  });

  it('gives the same bytes for the same tensors in any order', () => {
    expect(saveSafetensors([...every].reverse())).toEqual(saveSafetensors(every));
  });

  it('keeps the order given where it is told not to sort', () => {
    const bytes = saveSafetensors([...every].reverse(), [], { sorted: false });
    expect([...loadSafetensors(bytes)]).toEqual([...every].reverse());
  });

  it('takes plain objects, as in Python, like entries', () => {
    const bytes = saveSafetensors(Object.fromEntries(every), { format: 'pt' });
    expect(bytes).toEqual(saveSafetensors(every, [['format', 'pt']]));
  });

  it('is read back as it was', () => {
    const bytes = saveSafetensors(
      every,
      new Map([
        ['b', '1'],
        ['a', '2'],
      ]),
    );
    const read = loadSafetensors(bytes);
    expect(new Set(Array.from(read.values(), ({ dtype }) => dtype))).toEqual(new Set(DTYPES));
    expect(read.size).toBe(every.length);
    for (const [name, x] of every) expect(read.get(name)).toEqual(x);
    expect([...readSafetensors(bytes).metadata]).toEqual([
      ['b', '1'],
      ['a', '2'],
    ]);
    expect(saveSafetensors(read, readSafetensors(bytes).metadata)).toEqual(bytes);
  });

  it('writes an empty file', () => {
    expect([...saveSafetensors([])]).toEqual([8, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7d, 32, 32, 32, 32, 32, 32]);
  });

  it('aligns the data to eight bytes', () => {
    for (let length = 0; length < 9; length++) {
      const bytes = saveSafetensors([['n'.repeat(length), filled('float64', [1], 1)]]);
      expect(safetensorsHeaderBytes(bytes, bytes.length) % 8).toBe(0);
      expect(bytes.length % 8).toBe(0);
    }
  });

  it('writes a view of a larger buffer without the rest', () => {
    const view = new Tensor(Float32Array.of(1, 2, 3, 4).subarray(1, 3), [2]);
    expect([...loadSafetensors(saveSafetensors([['a', view]])).get('a')!.data]).toEqual([2, 3]);
  });

  it('refuses names and metadata that no reader could tell apart', () => {
    const x = tensor([1], [1]);
    expect(thrown(() => saveSafetensors([['__metadata__', x]]))).toBe(
      'ValueError: saveSafetensors: expected a tensor name other than "__metadata__", which holds the metadata',
    );
    expect(
      thrown(() =>
        saveSafetensors([
          ['a', x],
          ['a', x],
        ]),
      ),
    ).toBe('ValueError: saveSafetensors: expected each tensor name once, got "a" twice');
    expect(
      thrown(() =>
        saveSafetensors(
          [],
          [
            ['a', ''],
            ['a', ''],
          ],
        ),
      ),
    ).toBe('ValueError: saveSafetensors: expected each metadata key once, got "a" twice');
    expect(thrown(() => saveSafetensors([['\ud800', x]]))).toBe(
      'ValueError: saveSafetensors: expected well-formed Unicode as tensor name, got "\\ud800"',
    );
    expect(thrown(() => saveSafetensors([[1 as never, x]]))).toBe(
      'ValueError: saveSafetensors: expected a string as tensor name, got 1',
    );
    expect(thrown(() => saveSafetensors([], [['epoch', 3 as never]]))).toBe(
      'ValueError: saveSafetensors: expected a string as metadata "epoch", got 3',
    );
  });

  it('refuses what holds no tensors', () => {
    const detached = tensor([1, 2], [2]);
    structuredClone(detached.data, { transfer: [detached.data.buffer] });
    for (const [tensors, message] of [
      [null, 'expected tensors as a Map, entries or an object, got null'],
      ['a', 'expected tensors as a Map, entries or an object, got "a"'],
      [new Float32Array(2), 'expected tensors as a Map, entries or an object, got a Float32Array of 2'],
      [[tensor([1], [1])], 'expected tensors as pairs of name and value, got a Tensor (float32, [1])'],
      [{ a: new Float32Array(3) }, 'expected a Tensor as "a", got a Float32Array of 3'],
      [{ a: undefined }, 'expected a Tensor as "a", got undefined'],
      [{ a: detached }, 'expected 2 elements of "a", got 0; it was detached, by postMessage for example'],
    ] as const) {
      expect(thrown(() => saveSafetensors(tensors as never))).toBe(`ValueError: saveSafetensors: ${message}`);
    }
    expect(thrown(() => saveSafetensors([], 'pt' as never))).toBe(
      'ValueError: saveSafetensors: expected metadata as a Map, entries or an object, got "pt"',
    );
    expect(thrown(() => saveSafetensors([], [], { sort: false } as never))).toBe(
      'ValueError: saveSafetensors: expected options of sorted, got "sort"',
    );
  });

  it('refuses a header that no reader would take', () => {
    const text = 'x'.repeat(MAX_SAFETENSORS_HEADER_BYTES);
    expect(thrown(() => saveSafetensors([], [['a', text]]))).toBe(
      'ValueError: saveSafetensors: expected a header of at most 100000000 bytes, got 100000032',
    );
  });
});

/** Written by Python's safetensors 0.8.0 from the tensors above. */
const REFERENCE_FILE =
  'aAMAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJwdCJ9LCLDqSI6eyJkdHlwZSI6Ikk2NCIsInNoYXBlIjpbMV0sImRhdGFfb2Zmc2' +
  'V0cyI6WzAsOF19LCJkIjp7ImR0eXBlIjoiRjY0Iiwic2hhcGUiOlswXSwiZGF0YV9vZmZzZXRzIjpbOCw4XX0sImFcblwi4oCoIjp7ImR0eXBl' +
  'IjoiRjMyIiwic2hhcGUiOltdLCJkYXRhX29mZnNldHMiOls4LDEyXX0sInciOnsiZHR5cGUiOiJGMzIiLCJzaGFwZSI6WzJdLCJkYXRhX29mZn' +
  'NldHMiOlsxMiwyMF19LCJpMzIiOnsiZHR5cGUiOiJJMzIiLCJzaGFwZSI6WzFdLCJkYXRhX29mZnNldHMiOlsyMCwyNF19LCJiZiI6eyJkdHlw' +
  'ZSI6IkJGMTYiLCJzaGFwZSI6WzFdLCJkYXRhX29mZnNldHMiOlsyNCwyNl19LCJoIjp7ImR0eXBlIjoiRjE2Iiwic2hhcGUiOlsxXSwiZGF0YV' +
  '9vZmZzZXRzIjpbMjYsMjhdfSwiaTE2Ijp7ImR0eXBlIjoiSTE2Iiwic2hhcGUiOlsxXSwiZGF0YV9vZmZzZXRzIjpbMjgsMzBdfSwiaTgiOnsi' +
  'ZHR5cGUiOiJJOCIsInNoYXBlIjpbMV0sImRhdGFfb2Zmc2V0cyI6WzMwLDMxXX0sIjEwIjp7ImR0eXBlIjoiVTgiLCJzaGFwZSI6WzFdLCJkYX' +
  'RhX29mZnNldHMiOlszMSwzMl19LCI5Ijp7ImR0eXBlIjoiVTgiLCJzaGFwZSI6WzFdLCJkYXRhX29mZnNldHMiOlszMiwzM119LCJ1Ijp7ImR0' +
  'eXBlIjoiVTgiLCJzaGFwZSI6WzNdLCJkYXRhX29mZnNldHMiOlszMywzNl19LCLvv64iOnsiZHR5cGUiOiJVOCIsInNoYXBlIjpbMV0sImRhdG' +
  'Ffb2Zmc2V0cyI6WzM2LDM3XX0sIvCfmIAiOnsiZHR5cGUiOiJVOCIsInNoYXBlIjpbMV0sImRhdGFfb2Zmc2V0cyI6WzM3LDM4XX0sImIiOnsi' +
  'ZHR5cGUiOiJCT09MIiwic2hhcGUiOlsxXSwiZGF0YV9vZmZzZXRzIjpbMzgsMzldfX0gICAgIAICAgICAgICAwMDAwEBAQEBAQEBCgoKCggIBw' +
  'cNDQkODwQEBAwLBQ==';
