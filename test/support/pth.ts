/** `.pth` files of tensors, as torch.save writes them. No tests in here. */

import { pthLegacy, pthZip } from '../../scripts/pth.mjs';
import type { Tensor } from '../../src/tensor/tensor.ts';

/** A file of one of both layouts. */
export function pthOf(layout: 'zip' | 'legacy', tensors: Iterable<readonly [string, Tensor]>): Uint8Array {
  const written = Array.from(tensors, ([name, { dtype, shape, data }]) => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return [name, { dtype, shape, bytes }] as const;
  });
  return Buffer.concat((layout === 'zip' ? pthZip : pthLegacy)(new Map(written)));
}
