/** An opened file as one with a model's names and shapes. */

import { numel, type Shape, sameShape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import type { ReadTensorsOptions, TensorStream } from '../tensor/tensor-stream.ts';
import type { Rename } from './timm-names.ts';

/**
 * The file's tensors under the model's names. A tensor that has the model's elements in other axes, such as a linear
 * layer's weight that was written as a 1×1 convolution's, has the model's shape.
 *
 * @param shapes of the model's parameters and buffers, by their names
 */
export function renamedTensors(file: TensorStream, rename: Rename, shapes: ReadonlyMap<string, Shape>): TensorStream {
  const tensors = new Map<string, { readonly dtype: string; readonly shape: Shape }>();
  const fileNames = new Map<string, string>();
  const names = new Map<string, string>();
  for (const [from, { dtype, shape }] of file.tensors) {
    const to = rename(from);
    if (to === null) continue;
    const own = shapes.get(to);
    tensors.set(to, { dtype, shape: own && hasSameRows(shape, own) ? own : shape });
    fileNames.set(to, from);
    names.set(from, to);
  }
  return {
    tensors,
    async *stream(asked: Iterable<string>, options: ReadTensorsOptions = {}) {
      const { memory, ...reading } = options;
      const given = memory && { memory: (name: string, bytes: number) => memory(names.get(name)!, bytes) };
      const wanted = Array.from(asked, (name) => fileNames.get(name) ?? name);
      for await (const [name, tensor] of file.stream(wanted, { ...reading, ...given })) {
        const to = names.get(name)!;
        const { shape } = tensors.get(to)!;
        yield [to, sameShape(shape, tensor.shape) ? tensor : new Tensor(tensor.data, shape, tensor.dtype)] as const;
      }
    },
  };
}

/** True where the elements are as many, and the first axis has its length: rows stay rows. */
function hasSameRows(shape: Shape, own: Shape): boolean {
  return shape.length > 0 && shape[0] === own[0] && numel(shape) === numel(own);
}
