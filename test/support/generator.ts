/**
 * The generator that parameters and inputs of the goldens come from, the same few lines as
 * scripts/goldens/generator.py: a tensor depends on its key and shape alone, bit for bit in both languages, so goldens
 * need no weight files.
 */

import type { Module } from '../../src/nn/module.ts';
import { numel, type Shape } from '../../src/tensor/shape.ts';
import { Tensor } from '../../src/tensor/tensor.ts';

/** FNV-1a, 32 bits, of the key's UTF-8. */
function fnv1a(key: string): number {
  let seed = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(key)) seed = Math.imul(seed ^ byte, 0x01000193);
  return seed;
}

/** toValue(u) for each element, u in [0, 1) being the upper 24 bits of murmur3's fmix32 of seed + i·0x9E3779B9. */
function spread(key: string, shape: Shape, toValue: (u: number) => number): Tensor<Float32Array> {
  const seed = fnv1a(key);
  const data = new Float32Array(numel(shape));
  for (let i = 0; i < data.length; i++) {
    let h = (seed + Math.imul(i, 0x9e3779b9)) | 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    data[i] = toValue(((h ^ (h >>> 16)) >>> 8) * 2 ** -24);
  }
  return new Tensor(data, shape);
}

/** A tensor of (2u − 1)·scale: an input's values are in ±2 unless told otherwise. */
export function generatedTensor(key: string, shape: Shape, scale = 2): Tensor<Float32Array> {
  return spread(key, shape, (u) => (2 * u - 1) * scale);
}

/** The values of a state dict's key: Kaiming-uniform weights, and statistics far from 0 and 1. */
export function generatedParameter(key: string, shape: Shape, prefix = ''): Tensor<Float32Array> {
  const seed = prefix + key;
  const name = key.slice(key.lastIndexOf('.') + 1);
  if (shape.length >= 2) return generatedTensor(seed, shape, Math.sqrt(6 / numel(shape.slice(1))));
  if (name === 'running_mean') return generatedTensor(seed, shape, 0.2);
  if (name === 'bias') return generatedTensor(seed, shape, 0.1);
  if (name === 'running_var') return spread(seed, shape, (u) => 0.25 + 3.75 * u);
  if (name === 'weight') return spread(seed, shape, (u) => 0.5 + u);
  if (name === 'scale_weight') return spread(seed, shape, (u) => 10 + 20 * u);
  throw new Error(`generatedParameter: no rule for "${key}" of shape [${shape.join(', ')}]`);
}

/** Fills all parameters and buffers but num_batches_tracked, and returns the module. */
export function fillParameters<M extends Module<any>>(module: M, prefix = ''): M {
  const keys = [...module.stateShapes()].filter(([key]) => !key.endsWith('num_batches_tracked'));
  module.loadStateDict(keys.map(([key, shape]) => [key, generatedParameter(key, shape, prefix)] as const));
  return module;
}
