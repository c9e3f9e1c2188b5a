/** An opened file as one with a model's names and shapes. */

import { describe, FormatError } from '../errors.ts';
import { checkedNames } from '../formats/tensor-reader.ts';
import { numel, type Shape, sameShape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import type { ReadTensorsOptions, TensorStream } from '../tensor/tensor-stream.ts';
import type { Rename } from './timm-names.ts';

/**
 * The file's tensors under the model's names. A tensor that has the model's elements in other axes, such as a linear
 * layer's weight that was written as a 1×1 convolution's, has the model's shape.
 *
 * @param caller the public function, for messages
 * @param shapes of the model's parameters and buffers, by their names
 * @throws {@link FormatError} where two tensors get one name
 */
export function renamedTensors(
  caller: string,
  file: Required<TensorStream>,
  rename: Rename,
  shapes: ReadonlyMap<string, Shape>,
): TensorStream {
  const tensors = new Map<string, { readonly dtype: string; readonly shape: Shape }>();
  const fileNames = new Map<string, string>();
  const names = new Map<string, string>();
  for (const [from, { dtype, shape }] of file.tensors) {
    const to = rename(from);
    if (to === null) continue;
    if (fileNames.has(to)) {
      const got = `${describe(fileNames.get(to))} and ${describe(from)}`;
      throw new FormatError(`${caller}: expected one tensor for ${describe(to)}, got ${got}`);
    }
    const own = shapes.get(to);
    tensors.set(to, { dtype, shape: own && hasSameRows(shape, own) ? own : shape });
    fileNames.set(to, from);
    names.set(from, to);
  }
  async function* batches(asked: Iterable<string>, { memory, ...reading }: ReadTensorsOptions = {}) {
    const given = memory && { memory: (name: string, bytes: number) => memory(names.get(name)!, bytes) };
    const wanted = checkedNames(caller, asked, fileNames).map((name) => fileNames.get(name)!);
    for await (const batch of file.batches(wanted, { ...reading, ...given })) yield renamed(batch);
  }
  function* renamed(batch: Iterable<readonly [string, Tensor]>) {
    for (const [name, tensor] of batch) {
      const to = names.get(name)!;
      const { shape } = tensors.get(to)!;
      yield [to, sameShape(shape, tensor.shape) ? tensor : new Tensor(tensor.data, shape, tensor.dtype)] as const;
    }
  }
  return {
    tensors,
    batches,
    async *stream(asked, options) {
      for await (const batch of batches(asked, options)) yield* batch;
    },
  };
}

/**
 * True where the elements are as many in more or fewer axes, and the first axis has its length: rows stay rows. Of as
 * many axes, elements would be in another order.
 */
function hasSameRows(shape: Shape, own: Shape): boolean {
  const isFlattened = shape.length > 0 && shape.length !== own.length;
  return isFlattened && shape[0] === own[0] && numel(shape) === numel(own);
}
