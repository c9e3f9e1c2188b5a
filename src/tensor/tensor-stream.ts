/** What a weight file looks like to those who load from it: names and shapes at once, values as they arrive. */

import type { Shape } from './shape.ts';
import type { Tensor } from './tensor.ts';

/** How far reading is. */
export interface LoadProgress {
  /** Bytes of the wanted tensors that are there. */
  readonly loadedBytes: number;
  /** Bytes of all wanted tensors. */
  readonly totalBytes: number;
}

/** Options of reading tensors. */
export interface ReadTensorsOptions {
  /** Ends the reading, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called whenever bytes have arrived. */
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  /**
   * Gives memory that a tensor's values may be put into, instead of memory of their own. Once the next tensor is asked
   * for, the one before isn't used any more: so the same memory may be given again.
   */
  readonly memory?: ((name: string, byteLength: number) => Uint8Array) | undefined;
}

/** A file of tensors whose values arrive one by one, e.g. an opened safetensors file. */
export interface TensorStream {
  /** All tensors by their names; `dtype` as the file's format spells it. Known before any of their values. */
  readonly tensors: ReadonlyMap<string, { readonly dtype: string; readonly shape: Shape }>;
  /**
   * The named tensors, each once, in any order. Nothing else is read. The iteration throws where the file ends early,
   * changes, or `signal` is aborted (then with the signal's reason); leaving it early lets the source go.
   *
   * @param names keys of {@link tensors}
   */
  stream(names: Iterable<string>, options?: ReadTensorsOptions): AsyncIterable<readonly [name: string, tensor: Tensor]>;
  /**
   * As {@link stream}, but those that have come together together, each batch to be used up before the next one: a turn
   * for each of hundreds of small tensors takes longer than to read them. A file that gives its tensors one by one
   * leaves it out.
   */
  batches?(
    names: Iterable<string>,
    options?: ReadTensorsOptions,
  ): AsyncIterable<Iterable<readonly [name: string, tensor: Tensor]>>;
}
