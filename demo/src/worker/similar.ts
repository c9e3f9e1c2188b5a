/** Photos as vectors of one layer: how alike they are, and which are nearest. */

import type { Image, Tensor } from 'layertap';
import { cat, cosineSimilarity, globalAveragePool, l2Normalize, topk } from 'layertap/tools';
import type { Neighbour } from '../protocol.ts';
import { inputShape } from './network.ts';
import { Said } from './problems.ts';
import type { Session } from './session.ts';

const vectors = new Map<number, Tensor<Float32Array>>();

/** Keeps a photo's vector: the layer's mean over pixels, of length 1. */
export async function embed(
  session: Session,
  image: Image,
  { id, layer, size, signal }: { id: number; layer: string; size: number; signal: AbortSignal },
): Promise<void> {
  session.plan([layer], false, inputShape(session.network, image, size));
  const x = session.network.prepare(image, size);
  const extractor = session.extractor([layer], false);
  await session.load(extractor, () => {}, signal);
  const features = await extractor.forwardAsync(x, { signal });
  vectors.set(id, l2Normalize(globalAveragePool(features.get(layer)!)));
}

/** The similarity of each to each. */
export function compare(ids: readonly number[]): number[][] {
  if (ids.length === 0) return [];
  const all = cat(ids.map(vectorOf)) as Tensor<Float32Array>;
  return ids.map((id) => Array.from(cosineSimilarity(vectorOf(id), all).data));
}

/** The most similar of some, the nearest first. */
export function neighbours(id: number, ids: readonly number[], count: number): Neighbour[] {
  const others = ids.filter((other) => other !== id && vectors.has(other));
  if (others.length === 0) return [];
  const similarities = cosineSimilarity(vectorOf(id), cat(others.map(vectorOf)) as Tensor<Float32Array>);
  const { values, indices } = topk(similarities, Math.min(count, others.length));
  return Array.from(indices.data, (index, i) => ({ id: others[index]!, similarity: values.data[i]! }));
}

/** Lets go of vectors. */
export function forget(ids: readonly number[]): void {
  for (const id of ids) vectors.delete(id);
}

function vectorOf(id: number): Tensor<Float32Array> {
  const vector = vectors.get(id);
  if (!vector) throw new Said('This photo isn’t compared any more.', 'Add it again.');
  return vector;
}
