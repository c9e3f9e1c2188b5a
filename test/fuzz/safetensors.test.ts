/** safetensors files that are changed at random: each is read, or refused by an error of layertap. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FormatError } from '../../src/errors.ts';
import { readSafetensors, type SafetensorsFile } from '../../src/formats/safetensors-read.ts';
import { saveSafetensors } from '../../src/formats/safetensors-write.ts';
import { Tensor, tensor } from '../../src/tensor/tensor.ts';

const SEED = 20240917;

const original = saveSafetensors(
  [
    ['conv1.weight', tensor([1, 2, 3, 4, 5, 6], [2, 3])],
    ['conv1.bias', tensor([7, 8], [2])],
    ['steps', new Tensor(BigInt64Array.of(9n), [], 'int64')],
    ['mask', new Tensor(Uint8Array.of(1, 0, 1), [3], 'bool')],
    ['10', new Tensor(new Uint16Array(0), [0, 4], 'float16')],
  ],
  [['format', 'pt']],
);
const originalHeaderBytes = Number(new DataView(original.buffer).getBigUint64(0, true));
const originalHeader = new TextDecoder().decode(original.subarray(8, 8 + originalHeaderBytes));
const originalData = original.subarray(8 + originalHeaderBytes);

/** The file, or undefined where it ended in a FormatError; anything else escapes. */
function open(bytes: Uint8Array): SafetensorsFile | undefined {
  try {
    const file = readSafetensors(bytes);
    for (const name of file.tensors.keys()) readTensor(file, name);
    return file;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    expect(error.message).toMatch(/^safetensors: /);
    expect(error.message.length).toBeLessThan(2000);
    return undefined;
  }
}

function readTensor(file: SafetensorsFile, name: string): void {
  try {
    const { shape, data } = file.get(name);
    expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
  } catch (error) {
    if (!(error instanceof FormatError && error.message.includes('expected a dtype of'))) throw error;
  }
}

function withHeader(header: string, data: Uint8Array): Uint8Array {
  const json = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

/** What `JSON.parse` makes of a header that the reader took must say the same. */
function expectAgreement(file: SafetensorsFile, header: string, dataBytes: number): void {
  const { __metadata__: metadata = {}, ...entries } = JSON.parse(header);
  expect(Object.fromEntries(file.metadata)).toEqual(metadata);
  expect(file.tensors.size).toBe(Object.keys(entries).length);
  let spanned = 0;
  for (const [name, { dtype, shape, begin, end }] of file.tensors) {
    expect({ dtype, shape, data_offsets: [begin, end] }).toEqual(entries[name]);
    spanned += end - begin;
  }
  expect(spanned).toBe(dataBytes);
}

const mutation = fc.record({
  at: fc.nat(original.length),
  remove: fc.oneof(fc.constant(0), fc.constant(1), fc.nat(20)),
  insert: fc.oneof(fc.constant(new Uint8Array(0)), fc.uint8Array({ maxLength: 3 }), fc.uint8Array({ maxLength: 40 })),
});

/** The header's tokens, and others that a hostile writer would put in their place. */
const tokens = originalHeader.match(/"[^"]*"|\d+|[^\s\d"]/g)!;
const hostile = fc.constantFrom(
  ...tokens,
  ...['-1', '1.5', '1e9', '9007199254740992', '18446744073709551615', '007', 'null', 'true', '', ' ', '\\', '\u0000'],
  ...['"__metadata__"', '"__proto__"', '"\\ud800"', '"\\u0000"', '"F8_E4M3"', '"F4"', '"U64"', '"F33"', '[[[[', '{{{{'],
  '1'.repeat(500),
  '['.repeat(20000),
  '{"a":'.repeat(20000),
);

describe('fuzzed safetensors files', () => {
  it('are a file before they are mutated', () => {
    expectAgreement(open(original)!, originalHeader, originalData.length);
    expect(tokens.join('')).toBe(originalHeader.trimEnd());
  });

  it('end in a parse or a FormatError where bytes are changed, removed or added', () => {
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), (mutations) => {
        let bytes = [...original];
        for (const { at, remove, insert } of mutations) {
          bytes = [...bytes.slice(0, at), ...insert, ...bytes.slice(at + remove)];
        }
        open(Uint8Array.from(bytes));
      }),
      { seed: SEED, numRuns: 3000 },
    );
  });

  it('end in a parse that agrees with JSON.parse or in a FormatError where tokens of the header are replaced', () => {
    const replacement = fc.record({
      at: fc.nat(tokens.length - 1),
      remove: fc.nat(2),
      insert: fc.array(hostile, { maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(replacement, { minLength: 1, maxLength: 3 }), (replacements) => {
        const mutated = [...tokens];
        for (const { at, remove, insert } of replacements) mutated.splice(at, remove, ...insert);
        const header = mutated.join('');
        const file = open(withHeader(header, originalData));
        if (file) expectAgreement(file, header, originalData.length);
      }),
      { seed: SEED, numRuns: 3000 },
    );
  });

  it('end in a parse or a FormatError where they are cut off anywhere', () => {
    for (let length = 0; length < original.length; length++) expect(open(original.slice(0, length))).toBeUndefined();
    expect(open(original)).toBeDefined();
  });

  it('end in a FormatError for any length before the header but the right one', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (length) => {
        const bytes = original.slice();
        new DataView(bytes.buffer).setBigUint64(0, length, true);
        expect(open(bytes) === undefined).toBe(length !== BigInt(originalHeaderBytes));
      }),
      { seed: SEED, numRuns: 1000 },
    );
  });

  it('take time in proportion to their size', () => {
    // Many of everything that is kept or scanned: each would take minutes if it were quadratic.
    const many = 200_000;
    for (const header of [
      `{"__metadata__":{${Array.from({ length: many }, (_, i) => `"${i}":""`)}}}`,
      `{${Array.from({ length: many / 10 }, (_, i) => `"${i}":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`)}}`,
      `{"${'\\n'.repeat(many)}":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`,
      `${' '.repeat(many)}{${' '.repeat(many)}}${' '.repeat(many)}`,
    ]) {
      expect(open(withHeader(header, new Uint8Array(0)))).toBeDefined();
    }
    for (const numbers of ['9', '0,']) {
      expect(open(withHeader(`{"a":{"shape":[${numbers.repeat(many)}`, new Uint8Array(0)))).toBeUndefined();
    }
  });
});
