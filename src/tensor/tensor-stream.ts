/** What a weight file looks like to those who load from it: names and shapes at once, values as they arrive. */

import type { Shape } from './shape.ts';
import type { Tensor } from './tensor.ts';

/** A file of tensors whose values arrive one by one, e.g. an opened safetensors file. */
export interface TensorStream {
  /** All tensors by their names; `dtype` as the file's format spells it. Known before any of their values. */
  readonly tensors: ReadonlyMap<string, { readonly dtype: string; readonly shape: Shape }>;
  /**
   * The named tensors, each once, in any order. Nothing else is read. The iteration throws where the file ends early, changes, or
   * `signal` is aborted (then with the signal's reason); leaving it early lets the source go.
   *
   * @param names keys of {@link tensors}
   */
  stream(
    names: Iterable<string>,
    options?: { readonly signal?: AbortSignal | undefined },
  ): AsyncIterable<readonly [name: string, tensor: Tensor]>;
}
