/** Tensors under a model's names, in its shapes. */

import { describe, expect, it } from 'vitest';
import { openSafetensors } from '../../src/formats/open-safetensors.ts';
import { saveSafetensors } from '../../src/formats/safetensors-write.ts';
import { renamedTensors } from '../../src/hub/renamed-tensors.ts';
import { vggNames } from '../../src/hub/timm-names.ts';
import { Tensor } from '../../src/tensor/tensor.ts';
import type { TensorStream } from '../../src/tensor/tensor-stream.ts';
import { rejection } from '../support/thrown.ts';

const tensor = (shape: readonly number[]) =>
  new Tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i),
    shape,
  );

const file = await openSafetensors(
  saveSafetensors([
    ['features.0.weight', tensor([4, 3, 3, 3])],
    ['pre_logits.fc1.weight', tensor([5, 4, 2, 2])],
    ['pre_logits.fc2.weight', tensor([5, 5, 1, 1])],
    ['head.fc.weight', tensor([2, 5])],
    ['left.out', tensor([1])],
  ]),
);
const shapes = new Map([
  ['features.0.weight', [4, 3, 3, 3]],
  ['classifier.0.weight', [5, 16]],
  ['classifier.3.weight', [5, 5]],
  // Rows of another number are another layer's: the loader tells.
  ['classifier.6.weight', [5, 2]],
]);
const whole = file as Required<TensorStream>;
const renamed = renamedTensors('f', whole, (name) => (name === 'left.out' ? null : vggNames(name)), shapes);

describe('renamedTensors', () => {
  it("has the model's names and shapes, where rows stay rows", () => {
    expect(new Map([...renamed.tensors].map(([name, { shape }]) => [name, shape]))).toEqual(
      new Map([...shapes, ['classifier.6.weight', [2, 5]]]),
    );
  });

  it('streams the values that are asked for, in given memory too', async () => {
    const asked: string[] = [];
    const memory = (name: string, bytes: number) => {
      asked.push(name);
      return new Uint8Array(bytes);
    };
    const got = new Map<string, Tensor>();
    for await (const [name, one] of renamed.stream(['classifier.0.weight', 'classifier.6.weight'], { memory })) {
      got.set(name, one);
    }
    expect(got.get('classifier.0.weight')).toEqual(tensor([5, 16]));
    expect(got.get('classifier.6.weight')).toEqual(tensor([2, 5]));
    expect(asked.every((name) => shapes.has(name))).toBe(true);
  });

  it('gives what has come together together, as the file does', async () => {
    const sizes: number[] = [];
    for await (const batch of renamed.batches!(renamed.tensors.keys())) sizes.push([...batch].length);
    const own: number[] = [];
    for await (const batch of whole.batches([...file.tensors.keys()].slice(0, 4))) own.push([...batch].length);
    expect(sizes).toEqual(own);
  });

  it('leaves the shape of as many axes in another order, of which the loader tells', async () => {
    const turned = renamedTensors('f', whole, (name) => name, new Map([['pre_logits.fc1.weight', [5, 2, 2, 4]]]));
    expect(turned.tensors.get('pre_logits.fc1.weight')!.shape).toEqual([5, 4, 2, 2]);
  });

  it('refuses names that there are none of, and one name for two', async () => {
    const first = () => renamed.stream(['left.out'])[Symbol.asyncIterator]().next();
    expect(await rejection(first)).toMatch(
      /^KeyError: f: expected tensors of "features\.0\.weight", .*, got "left\.out"$/,
    );
    const both = async () =>
      renamedTensors('f', whole, (name) => (name === 'left.out' ? 'head.fc.weight' : name), shapes);
    expect(await rejection(both)).toMatch(
      /^FormatError: f: expected one tensor for "head\.fc\.weight", got "(head\.fc\.weight" and "left\.out|left\.out" and "head\.fc\.weight)"$/,
    );
  });
});
