/**
 * How a state dict gets into a module: which key is whose, and values that are set at once, kept as they arrive, or
 * packed as they arrive. Nothing here knows what a module is: a {@link Loadable} tells its keys.
 */

import { cut, describe, FormatError, listed, StateDictError, ValueError } from '../errors.ts';
import { flag, withDefaults } from '../options.ts';
import type { Parameter } from '../tensor/parameter.ts';
import { formatShape, type Shape, sameShape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import type { ReadTensorsOptions, TensorStream } from '../tensor/tensor-stream.ts';
import { checkedAsyncOptions, type Packing } from './execution.ts';

/** What `loadStateDict` found. */
export interface IncompatibleKeys {
  readonly missingKeys: readonly string[];
  readonly unexpectedKeys: readonly string[];
}

/** Options of `loadStateDictAsync`. */
export interface LoadStateDictAsyncOptions extends Omit<ReadTensorsOptions, 'memory'> {
  /** True, unless given: keys must match exactly. */
  readonly strict?: boolean | undefined;
  /**
   * Shapes of the input that the module will get, `[N, C, H, W]` each: weights are packed for them as they arrive, and
   * not kept. Of a module whose `forward` takes several inputs, each is an array with a shape for each of them.
   */
  readonly inputShapes?: readonly (Shape | readonly Shape[])[] | null | undefined;
}

/** A module as a state dict sees it. */
export interface Loadable {
  /** The class's, for messages. */
  readonly name: string;
  /** Parameters and buffers by their keys: a shared module's under each of its names. */
  readonly states: Iterable<readonly [key: string, state: Parameter]>;
  /** The module and all below it, a shared one under each of its names. */
  readonly modules: readonly KeyRules[];
  /** What older state dicts call keys. */
  readonly olderKeys: ReadonlyMap<string, string>;
}

/** Where a module's keys needn't match, each key without the module's path. */
export interface KeyRules {
  readonly path: string;
  /** Keys that may be missing. */
  readonly optionalKeys: readonly string[];
  /** Keys that may be there. */
  readonly ignoredKeys: readonly string[];
  /** Keys that may be there where the load is strict; one that ends in a dot stands for all that begin so. */
  readonly droppedKeys: readonly string[];
}

/** An entry of a state dict, and its key. */
export interface Match {
  readonly path: string;
  readonly entry: unknown;
}

/** Which parameter gets which entry. */
export type Matches = ReadonlyMap<Parameter, Match>;

/**
 * The options of `loadStateDictAsync` with their defaults. @throws {@link ValueError} or {@link StateDictError} for
 * wrong arguments
 */
export function checkedLoadOptions(file: TensorStream, options: LoadStateDictAsyncOptions) {
  const { strict, inputShapes, ...reading } = withDefaults('loadStateDictAsync', options, {
    ...{ strict: true, inputShapes: null, signal: undefined, onProgress: undefined },
  });
  flag('loadStateDictAsync: strict', strict);
  checkedAsyncOptions(reading, 'loadStateDictAsync');
  checkStream(file);
  if (inputShapes && !(Array.isArray(inputShapes) && [...inputShapes].every(Array.isArray))) {
    throw new ValueError(
      `loadStateDictAsync: expected inputShapes as an array of shapes, got ${describe(inputShapes)}`,
    );
  }
  return { strict, inputShapes, reading };
}

/** @throws {@link StateDictError} where it isn't an opened file */
function checkStream(file: TensorStream): void {
  const given = file as Partial<TensorStream> | null | undefined;
  if (given?.tensors instanceof Map && typeof given.stream === 'function') return;
  const wayOut = file instanceof Map ? '; loadStateDict takes that' : '';
  throw new StateDictError(`loadStateDictAsync: expected what openWeights gives, got ${describe(file)}${wayOut}`);
}

/** True where a file says a shape of its entry. */
export function hasShape(entry: unknown): boolean {
  return Array.isArray((entry as { readonly shape?: unknown } | null | undefined)?.shape);
}

/**
 * Which state gets which of the given entries, and the keys that were missing or that nobody uses.
 *
 * @param isTensor whether an entry can be a parameter's
 * @throws {@link StateDictError} with all problems at once
 */
export function matchStateDict(
  module: Loadable,
  given: ReadonlyMap<string, unknown>,
  strict: boolean,
  isTensor: (entry: unknown) => boolean,
): { readonly matches: Matches; readonly keys: IncompatibleKeys } {
  const used = new Set<string>();
  const optional = new Set<string>();
  for (const { path, optionalKeys } of module.modules) for (const key of optionalKeys) optional.add(join(path, key));
  const missingKeys: string[] = [];
  const mismatches: string[] = [];
  const matches = new Map<Parameter, Match>();
  for (const [key, state] of module.states) {
    const path = given.has(key) ? key : (module.olderKeys.get(key) ?? key);
    const entry = given.get(path);
    used.add(path);
    if (entry === undefined) {
      if (!optional.has(key)) missingKeys.push(key);
      continue;
    }
    if (!isTensor(entry)) {
      mismatches.push(
        `While copying the parameter named "${key}", expected torch.Tensor or Tensor-like object from checkpoint ` +
          `but received ${describe(entry)}`,
      );
      continue;
    }
    if (entry instanceof Tensor) entry.checkAttached();
    const { shape } = entry as { readonly shape: Shape };
    if (sameShape(shape, state.shape) || isOldScalar(shape, state)) matches.set(state, { path, entry });
    else {
      mismatches.push(
        `size mismatch for ${key}: copying a param with shape ${torchSize(shape)} from checkpoint, ` +
          `the shape in current model is ${torchSize(state.shape)}.`,
      );
    }
  }
  const ignored = new Set<string>();
  const dropped: string[] = [];
  const order = new Map<string, number>();
  for (const { path, ignoredKeys, droppedKeys } of module.modules) {
    order.set(path, order.size);
    for (const key of ignoredKeys) ignored.add(join(path, key));
    if (strict) for (const key of droppedKeys) dropped.push(join(path, key));
  }
  const isDropped = (key: string) => dropped.some((one) => (one.endsWith('.') ? key.startsWith(one) : key === one));
  const placeOf = (key: string) => order.get(levelAbove(key, (level) => order.has(level)))!;
  const unexpectedKeys = [...given.keys()]
    .filter((key) => !used.has(key) && !ignored.has(key) && !isDropped(String(key)))
    .sort((a, b) => placeOf(a) - placeOf(b));
  const problems = mismatches.slice(0, MOST_PROBLEMS);
  if (mismatches.length > MOST_PROBLEMS) problems.push(`and ${mismatches.length - MOST_PROBLEMS} more like these.`);
  if (strict && unexpectedKeys.length > 0)
    problems.unshift(`Unexpected key(s) in state_dict: ${listed(unexpectedKeys)}. `);
  if (strict && missingKeys.length > 0) problems.unshift(`Missing key(s) in state_dict: ${listed(missingKeys)}. `);
  if (problems.length > 0) {
    const hint = strict ? hintOf(unexpectedKeys, missingKeys, problems.length > 1) : '';
    throw new StateDictError(`Error(s) in loading state_dict for ${module.name}:${hint}\n\t${problems.join('\n\t')}`);
  }
  return { matches, keys: { missingKeys, unexpectedKeys } };
}

/** Sets the matched parameters. */
export function setValues(matches: Matches): void {
  for (const [state, { entry }] of matches) state.tensor = shaped(entry as Tensor, state);
}

/** Reads the matched tensors, and sets the parameters once all are there. */
export async function readValues(file: TensorStream, matches: Matches, reading: ReadTensorsOptions): Promise<void> {
  for (const [state, tensor] of await collect(file, matches, reading, () => true)) state.tensor = tensor;
}

/**
 * Reads the matched tensors that a module's plans need, and packs weights as they arrive. Weights have no values from
 * the call on.
 *
 * @returns the tensors that are to be kept, not yet set
 */
export function packValues(
  file: TensorStream,
  matches: Matches,
  packing: Packing,
  reading: ReadTensorsOptions,
): Promise<ReadonlyMap<Parameter, Tensor>> {
  const read = new Map([...matches].filter(([state]) => packing.weights.has(state) || packing.others.has(state)));
  for (const state of read.keys()) if (packing.weights.has(state)) state.release();
  const holding = packing.begin();
  const states = new Map([...read].map(([state, { path }]) => [path, state]));
  const memory = (path: string, bytes: number) => holding.placeFor(states.get(path)!, bytes);
  return collect(file, read, { ...reading, memory }, (state, tensor) => {
    if (!packing.weights.has(state)) return true;
    holding.hold(state, tensor);
    return false;
  });
}

/** How many mismatches a message lists. */
const MOST_PROBLEMS = 8;

/**
 * What the keys tell of what is wrong: a prefix, or, where there are problems of several kinds, another architecture;
 * '' otherwise.
 */
function hintOf(unexpected: readonly string[], missing: readonly string[], areSeveral: boolean): string {
  // Not the first, which many models have: conv1.weight.
  const typical = missing[missing.length >> 1];
  const wrapped = typical && unexpected.find((key) => String(key).endsWith(`.${typical}`));
  if (wrapped) {
    const prefix = cut(wrapped.slice(0, -typical.length));
    return ` keys begin with "${prefix}"; pass { prefix: "${prefix}" } to openWeights`;
  }
  const telling = areSeveral && [unexpected, missing].find(({ length }) => length > MOST_PROBLEMS);
  return telling ? ` another architecture, as ${telling.slice(0, 3).map(describe).join(', ')} tell` : '';
}

/** True for PyTorch before 0.4, which had no scalars. */
function isOldScalar(shape: Shape, state: Parameter): boolean {
  return state.shape.length === 0 && sameShape(shape, [1]);
}

/** The tensor in its parameter's shape. */
function shaped(tensor: Tensor, state: Parameter): Tensor {
  return isOldScalar(tensor.shape, state) ? new Tensor(tensor.data, [], tensor.dtype) : tensor;
}

/**
 * Reads the wanted tensors, each once, and returns those that are to be kept.
 *
 * @param arrived called with each of them; whether it is to be kept
 * @throws {@link FormatError} where the file gives others than it said
 */
async function collect(
  file: TensorStream,
  wanted: ReadonlyMap<Parameter, Match>,
  options: ReadTensorsOptions,
  arrived: (state: Parameter, tensor: Tensor) => boolean,
): Promise<Map<Parameter, Tensor>> {
  const kept = new Map<Parameter, Tensor>();
  const waiting = new Map([...wanted].map(([state, { path }]) => [path, state]));
  const names = [...waiting.keys()];
  const take = (name: string, tensor: Tensor) => {
    options.signal?.throwIfAborted();
    const state = waiting.get(name);
    if (!state) {
      const expected = waiting.size > 0 ? 'a tensor that was asked for and has not come yet' : 'no more tensors';
      throw new FormatError(`loadStateDictAsync: expected ${expected}, got ${describe(name)}`);
    }
    const { shape } = file.tensors.get(name)!;
    if (!sameShape(tensor.shape, shape)) {
      throw new FormatError(
        `loadStateDictAsync: expected ${JSON.stringify(name)} of shape ${formatShape(shape)}, as the file said, ` +
          `got ${formatShape(tensor.shape)}`,
      );
    }
    waiting.delete(name);
    if (!arrived(state, tensor)) return;
    const own = options.memory ? new Tensor(tensor.data.slice(), shape, tensor.dtype) : tensor;
    kept.set(state, shaped(own, state));
  };
  if (file.batches) {
    for await (const batch of file.batches(names, options)) for (const [name, tensor] of batch) take(name, tensor);
  } else {
    for await (const [name, tensor] of file.stream(names, options)) take(name, tensor);
  }
  options.signal?.throwIfAborted();
  if (waiting.size > 0) {
    throw new FormatError(
      `loadStateDictAsync: expected all ${names.length} tensors that were asked for, ` +
        `got none for ${listed(waiting.keys())}`,
    );
  }
  return kept;
}

/** The longest path above one that is there; '' is the model's own. */
export function levelAbove(path: string, isThere: (level: string) => boolean): string {
  let level = path;
  do level = level.slice(0, Math.max(0, level.lastIndexOf('.')));
  while (level !== '' && !isThere(level));
  return level;
}

/** PyTorch's way of joining a path. */
export function join(prefix: string, name: string): string {
  return prefix ? `${prefix}.${name}` : name;
}

function torchSize(shape: Shape): string {
  return `torch.Size(${formatShape(shape)})`;
}
