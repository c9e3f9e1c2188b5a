/** Which dict of a checkpoint is the state dict, and by which names its tensors go. */

import { FormatError, ValueError } from '../errors.ts';
import { callable } from '../options.ts';
import { Dict, Opaque } from './pickle.ts';
import { malformed } from './pth-fault.ts';
import { TensorRef } from './pth-objects.ts';
import { cut, listNames, quote } from './quoted.ts';

/** How a file's keys become a model's. */
export interface KeyOptions {
  /** The dict in a checkpoint, with dots between levels: `model`, `ema.state_dict`. Of `.pth` files alone. */
  readonly key?: string | undefined;
  /** What is taken off the names: `module.`, `backbone.`. Names that don't begin so are left out. */
  readonly prefix?: string | undefined;
  /** The name in the model for a name in the file, once the prefix is off; null leaves the tensor out. */
  readonly rename?: ((name: string) => string | null) | undefined;
}

/** @throws {@link ValueError} where one has a wrong type */
export function checkKeyOptions(caller: string, { key, prefix, rename }: KeyOptions): void {
  for (const [name, value] of Object.entries({ key, prefix })) {
    if (value === undefined || typeof value === 'string') continue;
    throw new ValueError(`${caller}: expected ${name} as a string, got ${typeof value}`);
  }
  if (rename !== undefined) callable(`${caller}: rename`, rename);
}

/**
 * The tensors of a pickled object's state dict.
 *
 * @throws {@link FormatError} where it isn't one, naming the dicts in it that are
 */
export function tensorsOf(caller: string, object: unknown, key: string | undefined): Map<string, TensorRef> {
  if (object instanceof Opaque) {
    throw malformed(
      `expected a state dict, got a whole ${quote(object.name)}, which only its own code can read; ` +
        'in Python, save model.state_dict()',
    );
  }
  if (!(object instanceof Dict)) throw malformed('expected a state dict, got something else than a dict');
  const path = key === undefined || key === '' ? [] : key.split('.');
  let dict = object;
  for (const [i, part] of path.entries()) {
    const inner = dict.get(path.slice(i).join('.')) ?? dict.get(part);
    if (!(inner instanceof Dict)) {
      throw malformed(`expected a dict under key ${quote(key!)}, got a checkpoint of ${listNames(namesOf(dict))}`);
    }
    dict = inner;
    if (dict === object.get(path.slice(i).join('.'))) break;
  }
  const tensors = new Map<string, TensorRef>();
  for (const [name, value] of dict)
    if (typeof name === 'string' && value instanceof TensorRef) tensors.set(name, value);
  const inner = Array.from(dict, ([name, value]) => (value instanceof Dict && hasTensors(value) ? [String(name)] : []));
  const named = inner.flat();
  // A state dict holds no dicts of tensors. A checkpoint may hold tensors beside its state dicts.
  if (key !== undefined || (named.length === 0 && (tensors.size > 0 || dict.size === 0))) return tensors;
  const found =
    named.length > 0
      ? `state dicts under ${listNames(named)}; pass { key: ${quote(named[0]!)} } to ${caller}`
      : `no tensors under ${listNames(namesOf(dict))}`;
  throw malformed(`expected a state dict, got a checkpoint with ${found}`);
}

/**
 * The names of a file's tensors by their names in the model.
 *
 * @throws {@link FormatError} where no name begins with the prefix, or two get one name
 */
export function renamed(names: Iterable<string>, { prefix = '', rename }: KeyOptions): Map<string, string> {
  const all = [...names];
  const found = new Map<string, string>();
  for (const name of all) {
    if (!name.startsWith(prefix)) continue;
    const own = name.slice(prefix.length);
    const to = rename ? rename(own) : own;
    if (to === null) continue;
    if (typeof to !== 'string')
      throw new ValueError(`rename: expected a name or null for ${quote(own)}, got ${typeof to}`);
    if (found.has(to)) {
      throw new FormatError(
        `weights: expected one tensor for ${quote(to)}, got ${quote(found.get(to)!)} and ${quote(name)}`,
      );
    }
    found.set(to, name);
  }
  if (found.size > 0 || all.length === 0) return found;
  throw new FormatError(`weights: expected names that begin with ${quote(cut(prefix))}, got ${listNames(all)}`);
}

function hasTensors(dict: Dict): boolean {
  for (const value of dict.values()) if (value instanceof TensorRef) return true;
  return false;
}

function namesOf(dict: Dict): string[] {
  return Array.from(dict.keys(), String);
}
