/** State dicts: tensors by PyTorch's keys. */

import { StateDictError } from '../errors.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** What {@link Module.stateDict} returns: a Map in PyTorch's order, with its metadata. */
export class StateDict extends Map<string, Tensor> {
  /** PyTorch's `_metadata`: for each module's path, the version of its state. */
  readonly metadata: Map<string, { readonly version: number }> = new Map();
}

/** What can be loaded as a state dict. */
export type StateDictLike =
  | ReadonlyMap<string, Tensor>
  | Iterable<readonly [string, Tensor]>
  | Readonly<Record<string, Tensor>>;

/** The entries of a state dict as a Map. @throws {@link StateDictError} where it isn't one */
export function entriesOf(stateDict: StateDictLike): ReadonlyMap<string, unknown> {
  if (stateDict instanceof Map) return stateDict;
  if (typeof stateDict === 'object' && stateDict !== null && !ArrayBuffer.isView(stateDict)) {
    const entries = Symbol.iterator in stateDict ? [...(stateDict as Iterable<unknown>)] : Object.entries(stateDict);
    if (entries.every((entry) => Array.isArray(entry) && entry.length === 2))
      return new Map(entries as [string, unknown][]);
  }
  const got = (stateDict as object | null | undefined)?.constructor?.name ?? String(stateDict);
  throw new StateDictError(`Expected state_dict to be dict-like, got ${got}.`);
}
