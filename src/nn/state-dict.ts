/** State dicts: tensors by PyTorch's keys. */

import { describe, StateDictError } from '../errors.ts';
import { pairsOf } from '../options.ts';
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

/**
 * The entries of a state dict as a Map. @throws {@link StateDictError} where it isn't one, with what may have been
 * meant
 */
export function entriesOf(stateDict: StateDictLike): ReadonlyMap<string, unknown> {
  if (stateDict instanceof Map) return stateDict;
  const wayOut = wayOutOf(Object(stateDict));
  const pairs = wayOut ? null : pairsOf(stateDict);
  if (pairs) return new Map(pairs as [string, unknown][]);
  throw new StateDictError(
    `Expected state_dict to be dict-like, got ${describe(stateDict)}${wayOut ? `; ${wayOut}` : '.'}`,
  );
}

/** What to do with what holds a state dict but isn't one; null for all else. */
function wayOutOf(given: Partial<Record<'tensors' | 'stream' | 'stateDict', unknown>>): string | null {
  if (typeof given.stateDict === 'function') return 'pass its stateDict()';
  if (!(given.tensors instanceof Map)) return null;
  return typeof given.stream === 'function'
    ? 'call loadStateDictAsync(file), or pass await file.load()'
    : 'pass what loadSafetensors(bytes) returns';
}
