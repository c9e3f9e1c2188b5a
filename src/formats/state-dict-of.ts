/** Which dict of a checkpoint is the state dict, and by which names its tensors go. */

import { describe, FormatError, listed, ValueError } from '../errors.ts';
import { callable } from '../options.ts';
import { Opaque } from './pickle.ts';
import { check, malformed } from './pth-fault.ts';
import { TensorRef } from './pth-objects.ts';

type Dict = ReadonlyMap<unknown, unknown>;

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
      `expected a state dict, got a whole ${describe(object.name)}, which only its own code can read; ` +
        'in Python, save model.state_dict()',
    );
  }
  check(object instanceof Map, 'a state dict', object instanceof TensorRef ? 'a tensor' : describe(object));
  const dict = key ? under(object, key) : object;
  check(dict instanceof Map, `a dict under key ${describe(key)}`, `a checkpoint of ${listed(keysOf(object))}`);
  const tensors = new Map<string, TensorRef>();
  for (const [name, value] of dict)
    if (typeof name === 'string' && value instanceof TensorRef) tensors.set(name, value);
  const inner = stateDictsIn(dict);
  // A state dict holds no dicts of tensors. A checkpoint may hold tensors beside its state dicts.
  if (dict.size === 0 || (tensors.size > 0 && (key !== undefined || inner.length === 0))) return tensors;
  const expected = key ? `a state dict under key ${describe(key)}` : 'a state dict';
  const wayOut = WRAPPERS.find((name) => inner.includes(name)) ?? inner[0];
  if (wayOut !== undefined) {
    const path = key ? `${key}.${wayOut}` : wayOut;
    const own = tensors.size > 0 ? ', or { key: "" } for the tensors beside them' : '';
    const found = `state dicts under ${listed(inner)}; pass { key: ${describe(path)} } to ${caller}${own}`;
    throw malformed(`expected ${expected}, got a checkpoint with ${found}`);
  }
  const whole = WRAPPERS.find((name) => dict.get(name) instanceof Opaque) ?? '';
  const held = dict.get(whole);
  const why =
    held instanceof Opaque
      ? `; ${describe(whole)} is a whole ${describe(held.name)}: in Python, save its state_dict()`
      : '';
  const keys = listed(keysOf(dict));
  const got = hasTensors(dict) ? `tensors without names, under ${keys}` : `a checkpoint with no tensors under ${keys}`;
  throw malformed(`expected ${expected}, got ${got}${why}`);
}

/** Keys of a dict; numbers, which it has as objects, as they are. */
const keysOf = (dict: Dict) => Array.from(dict.keys(), (key) => (key instanceof Number ? key.valueOf() : key));

/** What a dict holds under a path, with dots between levels. Names may have dots, too. */
function under(dict: unknown, path: string): unknown {
  if (!(dict instanceof Map)) return undefined;
  let found = dict.get(path);
  for (let dot = path.indexOf('.'); found === undefined && dot >= 0; dot = path.indexOf('.', dot + 1)) {
    found = under(dict.get(path.slice(0, dot)), path.slice(dot + 1));
  }
  return found;
}

/** What training scripts call the model's state dict. */
const WRAPPERS = ['state_dict', 'model_state_dict', 'model', 'params', 'net', 'model_ema', 'ema'];

/** Levels of a checkpoint, and dicts in it, that are looked through for state dicts. */
const MOST_LEVELS = 4;
const MOST_DICTS = 1000;

/** The keys of the dicts of tensors in a checkpoint, with dots between levels; those above others alone. */
function stateDictsIn(checkpoint: Dict): string[] {
  const found: string[] = [];
  /** Dicts, and whether there are tensors in them. */
  const seen = new Map<Dict, boolean>([[checkpoint, false]]);
  let level: [path: string, dict: Dict][] = [['', checkpoint]];
  for (let i = 0; i < MOST_LEVELS && found.length === 0; i++) {
    const next: typeof level = [];
    for (const [path, dict] of level) {
      for (const [name, value] of dict) {
        if (typeof name !== 'string' || !(value instanceof Map) || seen.size > MOST_DICTS) continue;
        // A dict that holds itself, or that has two names, is one dict: both names of the first level count.
        const known = seen.get(value);
        if (i > 0 && known !== undefined) continue;
        const isFound = known ?? hasTensors(value);
        seen.set(value, isFound);
        if (isFound) found.push(path + name);
        else if (known === undefined) next.push([`${path}${name}.`, value]);
      }
    }
    level = next;
  }
  return found;
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
      throw new ValueError(`rename: expected a name or null for ${describe(own)}, got ${typeof to}`);
    if (found.has(to)) {
      throw new FormatError(
        `weights: expected one tensor for ${describe(to)}, got ${describe(found.get(to)!)} and ${describe(name)}`,
      );
    }
    found.set(to, name);
  }
  if (found.size > 0 || all.length === 0) return found;
  throw new FormatError(`weights: expected names that begin with ${describe(prefix)}, got ${listed(all)}`);
}

function hasTensors(dict: Dict): boolean {
  for (const value of dict.values()) if (value instanceof TensorRef) return true;
  return false;
}
