/**
 * Module: the node of a model's hierarchy, as in torch.nn. Children, parameters and buffers are a module's own properties in
 * the order of their assignment, and a property's name is its state-dict key.
 */

import { FormatError, KeyError, StateDictError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { withDefaults } from '../options.ts';
import { type CompiledModel, type CompileOptions, checkedOptions } from '../plan/compiled-model.ts';
import { Buffer, Parameter } from '../tensor/parameter.ts';
import { formatShape, type Shape, sameShape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import type { ReadTensorsOptions, TensorStream } from '../tensor/tensor-stream.ts';
import { type AsyncOptions, Execution, missingValues } from './execution.ts';
import { graphOf, type Materialized } from './output.ts';
import { entriesOf, StateDict, type StateDictLike } from './state-dict.ts';

/** Called with a module, its inputs and its output while tracing; what it returns, if anything, replaces the output. */
export type ForwardHook<Out> = (module: Module<Out>, inputs: readonly unknown[], output: Out) => Out | undefined;

/** What {@link Module.loadStateDict} found. */
export interface IncompatibleKeys {
  readonly missingKeys: readonly string[];
  readonly unexpectedKeys: readonly string[];
}

/** Options of {@link Module.loadStateDictAsync}. */
export interface LoadStateDictAsyncOptions extends Omit<ReadTensorsOptions, 'memory'> {
  /** True, unless given: keys must match exactly. */
  readonly strict?: boolean | undefined;
  /** Shapes of the input that the module will get, `[N, C, H, W]` each: weights are packed for them as they arrive, and not kept. */
  readonly inputShapes?: readonly Shape[] | null | undefined;
}

/**
 * The base class of all modules. A subclass assigns children and parameters in its constructor and defines `forward` on values:
 *
 *     class Block extends Module {
 *       readonly conv = new Conv2d(3, 8, 3, { padding: 1 });
 *       forward(x: Value) { return relu(this.conv.call(x)); }
 *     }
 *
 * Every module computes as PyTorch's in eval mode, whatever its `training` flag says.
 *
 * @typeParam Out what `forward` returns: a value, or a Map or array of them
 * @see torch.nn.Module
 */
export abstract class Module<Out = Value> {
  /** PyTorch's flag: true until `eval()`. It is kept for `train` and `eval`; no computation depends on it. */
  training = true;
  /** What state_dict's metadata says of this class. */
  protected get version(): number {
    return 1;
  }

  readonly #hooks = new Map<object, ForwardHook<Out>>();
  #execution: Execution<Out> | null = null;
  #options: CompileOptions = {};

  /** The module's computation, recorded once for each input shape. Children are run with their `call`. */
  abstract forward(...inputs: any[]): Out;

  /**
   * Runs the module. On values, inside of another module's `forward`, it records the computation; on float32 tensors it
   * computes: compiled on the first call with an input shape, then from the plan. Results are the caller's to keep. An empty batch
   * gives empty tensors.
   *
   * @throws {@link ShapeError} where an input doesn't fit, with both sizes in the message
   * @throws {@link StateDictError} where a parameter that is needed has no values yet
   */
  call(...inputs: Tensor[]): Materialized<Out>;
  call(...inputs: any[]): Out;
  call(...inputs: any[]): Out | Materialized<Out> {
    if (inputs.length > 0 && inputs.every((x) => x instanceof Tensor)) {
      return this.execution().run(inputs, '', (values) => this.call(...(values as any[])) as Out);
    }
    let output = this.forward(...inputs);
    for (const hook of [...this.#hooks.values()]) output = hook(this, inputs, output) ?? output;
    graphOf(inputs)?.complete(this, output);
    return output;
  }

  /**
   * Runs the module on tensors as {@link call} does and gives the same bits, but with a turn of the event loop after each stretch of
   * steps worth about 16 ms. All work is on this thread: between two turns it is blocked as long as a step takes, at first by compiling, too.
   * Calls on one module wait for each other, and compute with the weights of the moment at which they were made; a call without `Async` in
   * between finishes the one under way first.
   *
   * @param inputs a tensor or several; they mustn't change until the call ends
   * @returns a promise, rejected with the signal's reason where it was aborted; the module stays usable
   * @throws what {@link call} throws, as a rejection
   */
  async callAsync(inputs: Tensor | readonly Tensor[], options: AsyncOptions = {}): Promise<Materialized<Out>> {
    const known = withDefaults('callAsync', options, { onProgress: undefined, signal: undefined });
    const tensors = inputs instanceof Tensor ? [inputs] : inputs;
    return this.execution().runAsync(tensors, '', (values) => this.call(...(values as any[])) as Out, known);
  }

  /**
   * Sets how the module is compiled when it is called with tensors, and drops what was compiled.
   *
   * @throws {@link ValueError} for options that aren't known, or out of range
   * @see torch.nn.Module.compile
   */
  compile(options: CompileOptions = {}): this {
    checkedOptions(options);
    this.#options = { ...options };
    this.#execution = null;
    return this;
  }

  /** What compiled the module for tensors: made anew when parameters, children or hooks have changed. */
  protected execution(): Execution<Out> {
    if (!this.#execution?.isCurrent) this.#execution = new Execution(this, this.#options);
    return this.#execution;
  }

  /** The compiled model behind `call` with tensors, or null before the first such call: its binary and memory, for reports. */
  get compiled(): CompiledModel | null {
    return this.#execution?.model ?? null;
  }

  /**
   * Registers a hook that runs whenever the module is traced, twice where it is registered twice, and returns a function that
   * removes this registration. It gets values, not tensors: what it records becomes part of the plan.
   *
   * @see torch.nn.Module.register_forward_hook
   */
  registerForwardHook(hook: ForwardHook<Out>): () => void {
    const registration = {};
    this.#hooks.set(registration, hook);
    return () => void this.#hooks.delete(registration);
  }

  /**
   * @internal Whether `holds` is true of all that a compiled module depends on, in order: its modules, their hooks, parameters and the
   * times those were loaded. Every call asks, so no list is made.
   */
  everyDependency(holds: (dependency: unknown) => boolean): boolean {
    if (!holds(this)) return false;
    for (const hook of this.#hooks.values()) if (!holds(hook)) return false;
    for (const name in this) {
      const member: unknown = this[name];
      if (member instanceof Module) {
        if (!member.everyDependency(holds)) return false;
      } else if (member instanceof Parameter && !(holds(member) && holds(member.version))) return false;
    }
    return true;
  }

  /** @internal Own properties in the order of their assignment. Containers yield their items instead. */
  members(): Iterable<[name: string, member: unknown]> {
    return Object.entries(this);
  }

  /** Direct children with their names, each module once, nulls skipped. @see torch.nn.Module.named_children */
  *namedChildren(): Iterable<[name: string, child: Module<any>]> {
    const seen = new Set<unknown>();
    for (const [name, member] of this.members()) {
      if (!(member instanceof Module) || seen.has(member)) continue;
      seen.add(member);
      yield [name, member];
    }
  }

  /** Direct children. */
  *children(): Iterable<Module<any>> {
    for (const [, child] of this.namedChildren()) yield child;
  }

  /** This module and all below it, each once, with dotted paths; this one's is ''. @see torch.nn.Module.named_modules */
  *namedModules(prefix = '', seen: Set<unknown> = new Set()): Iterable<[path: string, module: Module<any>]> {
    if (seen.has(this)) return;
    seen.add(this);
    yield [prefix, this];
    for (const [name, child] of this.namedChildren()) yield* child.namedModules(join(prefix, name), seen);
  }

  /** This module and all below it, each once. */
  *modules(): Iterable<Module<any>> {
    for (const [, module] of this.namedModules()) yield module;
  }

  /** Parameters of this module and all below it, each once, with dotted paths. @see torch.nn.Module.named_parameters */
  *namedParameters(): Iterable<[path: string, parameter: Parameter]> {
    yield* distinct(this.namedState(), (state) => !(state instanceof Buffer));
  }

  /** Parameters of this module and all below it. */
  *parameters(): Iterable<Parameter> {
    for (const [, parameter] of this.namedParameters()) yield parameter;
  }

  /** Buffers of this module and all below it, each once, with dotted paths. @see torch.nn.Module.named_buffers */
  *namedBuffers(): Iterable<[path: string, buffer: Buffer]> {
    yield* distinct(this.namedState(), (state) => state instanceof Buffer);
  }

  /** Buffers of this module and all below it. */
  *buffers(): Iterable<Buffer> {
    for (const [, buffer] of this.namedBuffers()) yield buffer;
  }

  /** Parameters and buffers by their state-dict keys, a module's parameters first: a shared module's under each of its names. */
  protected *namedState(prefix = ''): Iterable<[path: string, state: Parameter]> {
    const members = [...this.members()];
    for (const isBuffer of [false, true]) {
      for (const [name, member] of members) {
        if (member instanceof Parameter && member instanceof Buffer === isBuffer) yield [join(prefix, name), member];
      }
    }
    for (const [name, member] of members) if (member instanceof Module) yield* member.namedState(join(prefix, name));
  }

  /** This module and all below it, a shared one under each of its names. */
  protected *everyModule(prefix = ''): Iterable<[path: string, module: Module<any>]> {
    yield [prefix, this];
    for (const [name, member] of this.members()) {
      if (member instanceof Module) yield* member.everyModule(join(prefix, name));
    }
  }

  /** Keys below this module that a state dict may hold although the module has no use for them. */
  protected ignoredKeys(): readonly string[] {
    return [];
  }

  /**
   * The module at a dotted path, e.g. `layer1.0.conv2`; '' is this one.
   *
   * @throws {@link KeyError} naming the part that is missing and what there is
   * @see torch.nn.Module.get_submodule
   */
  getSubmodule(path: string): Module<any> {
    let module: Module<any> = this;
    for (const name of path === '' ? [] : path.split('.')) {
      const member = [...module.members()].find(([key]) => key === name)?.[1];
      if (!(member instanceof Module)) {
        const names = [...module.namedChildren()].map(([child]) => `"${child}"`).join(', ') || 'none';
        const { name: type } = module.constructor;
        throw new KeyError(
          member instanceof Parameter
            ? `getSubmodule: \`${name}\` is not a Module (in "${path}"); the children of ${type} are ${names}`
            : `getSubmodule: ${type} has no attribute \`${name}\` (in "${path}"); its children are ${names}`,
        );
      }
      module = member;
    }
    return module;
  }

  /**
   * All parameters and buffers with their values, by PyTorch's keys.
   *
   * @throws {@link StateDictError} naming those that have no values yet
   */
  stateDict(): StateDict {
    const dict = new StateDict();
    const states = [...this.namedState()];
    const missing = states.filter(([, state]) => !state.hasValues);
    if (missing.length > 0) throw missingValues(this.constructor.name, 'all parameters', missing);
    for (const [path, state] of states) dict.set(path, state.tensor);
    for (const [path, module] of this.everyModule()) dict.metadata.set(path, { version: module.version });
    return dict;
  }

  /** The state dict's keys and shapes, which are known before any values are. */
  stateShapes(): Map<string, Shape> {
    return new Map([...this.namedState()].map(([path, state]) => [path, state.shape]));
  }

  /**
   * Takes over tensors by their keys, without copying them. With `strict` (the default) keys must match exactly; shapes always must.
   * `num_batches_tracked` may be missing, as in files from before PyTorch 0.4.1. Nothing is changed where it throws.
   *
   * @param stateDict a Map, entries, or a plain object
   * @returns the keys that were missing and those that weren't used
   * @throws {@link StateDictError} with all problems at once, in PyTorch's words
   * @see torch.nn.Module.load_state_dict
   */
  loadStateDict(stateDict: StateDictLike, options: { readonly strict?: boolean } = {}): IncompatibleKeys {
    const { strict } = withDefaults('loadStateDict', options, { strict: true });
    const { matches, ...keys } = this.#match(entriesOf(stateDict), strict, (tensor) => tensor instanceof Tensor);
    for (const [state, { entry }] of matches) state.tensor = shaped(entry as Tensor, state);
    return keys;
  }

  /**
   * Loads a state dict from a file whose tensors arrive one by one, as {@link loadStateDict} does. Keys and shapes are checked before
   * any of the values are asked for; then only those that the module has.
   *
   * With `inputShapes`, values aren't kept: the module is compiled for these shapes at once, each weight is written to WASM memory in the
   * order of its kernel as soon as it arrives, and is let go. So memory holds a weight once. Vectors (biases, batch norm's) are kept,
   * and parameters that no such input reaches aren't read. Another input shape runs as long as it takes the same algorithms. From the
   * moment at which values are asked for until all have arrived, the module has none; it has none either where loading fails.
   *
   * @returns the keys that were missing and those that weren't used
   * @throws {@link StateDictError} with all problems at once, in PyTorch's words, before anything is read; or where the module
   * changes while it is loading
   * @throws {@link MemoryError} where the module doesn't fit, before anything is read
   * @throws {@link FormatError} where the file gives other tensors than it said
   * @throws the signal's reason where it is aborted; what reading throws
   */
  async loadStateDictAsync(file: TensorStream, options: LoadStateDictAsyncOptions = {}): Promise<IncompatibleKeys> {
    const { strict, inputShapes, signal, onProgress } = withDefaults('loadStateDictAsync', options, {
      ...{ strict: true, inputShapes: null, signal: undefined, onProgress: undefined },
    });
    const { matches, ...keys } = this.#match(file.tensors, strict, (entry) => isShape((entry as any)?.shape));
    signal?.throwIfAborted();
    if (!inputShapes) {
      const tensors = await collect(file, matches, { signal, onProgress }, () => true);
      for (const [state, tensor] of tensors) state.tensor = tensor;
      return keys;
    }
    const compileOptions = this.#options;
    const execution = new Execution<Out>(this, compileOptions);
    const packing = execution.packing(inputShapes);
    const read = new Map([...matches].filter(([state]) => packing.weights.has(state) || packing.others.has(state)));
    this.#execution = null;
    for (const state of read.keys()) if (packing.weights.has(state)) state.release();
    const holding = packing.begin();

    const states = new Map([...read].map(([state, { path }]) => [path, state]));
    const memory = (path: string, bytes: number) => holding.memory(states.get(path)!, bytes);
    const vectors = await collect(file, read, { signal, onProgress, memory }, (state, tensor) => {
      if (!packing.weights.has(state)) return true;
      holding.hold(state, tensor);
      return false;
    });
    if (!execution.isCurrent || this.#options !== compileOptions) {
      throw new StateDictError(
        `${this.constructor.name}: expected a module that stays as it is while loadStateDictAsync loads it, got one that was changed`,
      );
    }
    for (const [state, tensor] of vectors) state.tensor = tensor;
    packing.end();
    this.#execution = execution;
    return keys;
  }

  /** Which state gets which of the given entries. @throws {@link StateDictError} with all problems at once */
  #match(
    given: ReadonlyMap<string, unknown>,
    strict: boolean,
    isTensor: (entry: unknown) => boolean,
  ): IncompatibleKeys & { readonly matches: ReadonlyMap<Parameter, Match> } {
    const used = new Set<string>();
    const missingKeys: string[] = [];
    const mismatches: string[] = [];
    const matches = new Map<Parameter, Match>();
    for (const [path, state] of this.namedState()) {
      const entry = given.get(path);
      used.add(path);
      if (entry === undefined) {
        if (!path.endsWith('num_batches_tracked')) missingKeys.push(path);
        continue;
      }
      if (!isTensor(entry)) {
        const got = (entry as object | null)?.constructor?.name ?? String(entry);
        mismatches.push(
          `While copying the parameter named "${path}", expected torch.Tensor or Tensor-like object from checkpoint but received ${got}`,
        );
        continue;
      }
      const { shape } = entry as { readonly shape: Shape };
      if (sameShape(shape, state.shape) || isOldScalar(shape, state)) matches.set(state, { path, entry });
      else {
        mismatches.push(
          `size mismatch for ${path}: copying a param with shape ${torchSize(shape)} from checkpoint, ` +
            `the shape in current model is ${torchSize(state.shape)}.`,
        );
      }
    }
    const ignored = new Set<string>();
    const order = new Map<string, number>();
    for (const [path, module] of this.everyModule()) {
      order.set(path, order.size);
      for (const key of module.ignoredKeys()) ignored.add(join(path, key));
    }
    const unexpectedKeys = [...given.keys()]
      .filter((key) => !used.has(key) && !ignored.has(key))
      .sort((a, b) => order.get(ownerOf(a, order))! - order.get(ownerOf(b, order))!);
    const problems = [...mismatches];
    if (strict && unexpectedKeys.length > 0)
      problems.unshift(`Unexpected key(s) in state_dict: ${quoted(unexpectedKeys)}. `);
    if (strict && missingKeys.length > 0) problems.unshift(`Missing key(s) in state_dict: ${quoted(missingKeys)}. `);
    if (problems.length > 0) {
      throw new StateDictError(
        `Error(s) in loading state_dict for ${this.constructor.name}:\n\t${problems.join('\n\t')}`,
      );
    }
    return { matches, missingKeys, unexpectedKeys };
  }

  /** Sets the training flag of this module and all below it. */
  train(mode = true): this {
    for (const module of this.modules()) module.training = mode;
    return this;
  }

  /** Clears the training flag of this module and all below it. */
  eval(): this {
    return this.train(false);
  }

  /** Calls `fn` on every module below and then on this one. @see torch.nn.Module.apply */
  apply(fn: (module: Module<any>) => void): this {
    for (const child of this.children()) child.apply(fn);
    fn(this);
    return this;
  }

  /** What {@link toString} prints between a leaf's parentheses, in PyTorch's words. */
  protected extraRepr(): string {
    return '';
  }

  /** @internal What {@link toString} prints below this module: its children, under each of their names. */
  protected *printedChildren(): Iterable<[name: string, child: unknown]> {
    for (const [name, member] of this.members()) if (member instanceof Module) yield [name, member];
  }

  /** The hierarchy as PyTorch prints it. */
  toString(): string {
    const extra = this.extraRepr();
    const children = [...this.printedChildren()].map(([name, child]) =>
      `(${name}): ${child === null ? 'None' : String(child)}`.replaceAll('\n', '\n  '),
    );
    const name = this.constructor.name;
    if (children.length === 0) return `${name}(${extra})`;
    const lines = extra ? [extra, ...children] : children;
    return `${name}(\n  ${lines.join('\n  ')}\n)`;
  }
}

/** An entry of a state dict, and its key. */
interface Match {
  readonly path: string;
  readonly entry: unknown;
}

/** True for PyTorch before 0.4, which had no scalars. */
function isOldScalar(shape: Shape, state: Parameter): boolean {
  return state.shape.length === 0 && sameShape(shape, [1]);
}

/** The tensor in its parameter's shape. */
function shaped(tensor: Tensor, state: Parameter): Tensor {
  return isOldScalar(tensor.shape, state) ? new Tensor(tensor.data, [], tensor.dtype) : tensor;
}

function isShape(shape: unknown): boolean {
  return Array.isArray(shape);
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
  for await (const [name, tensor] of file.stream(names, options)) {
    options.signal?.throwIfAborted();
    const state = waiting.get(name);
    if (!state) {
      const expected = waiting.size > 0 ? 'a tensor that was asked for and has not come yet' : 'no more tensors';
      throw new FormatError(`loadStateDictAsync: expected ${expected}, got ${JSON.stringify(name)}`);
    }
    const { shape } = file.tensors.get(name)!;
    if (!sameShape(tensor.shape, shape)) {
      throw new FormatError(
        `loadStateDictAsync: expected ${JSON.stringify(name)} of shape ${formatShape(shape)}, as the file said, got ${formatShape(tensor.shape)}`,
      );
    }
    waiting.delete(name);
    if (!arrived(state, tensor)) continue;
    const own = options.memory ? new Tensor(tensor.data.slice(), shape, tensor.dtype) : tensor;
    kept.set(state, shaped(own, state));
  }
  options.signal?.throwIfAborted();
  if (waiting.size > 0) {
    const got = [...waiting.keys()].slice(0, 8);
    throw new FormatError(
      `loadStateDictAsync: expected all ${names.length} tensors that were asked for, got none for ${quoted(got)}` +
        (waiting.size > 8 ? ` and ${waiting.size - 8} more` : ''),
    );
  }
  return kept;
}

/** The longest of the paths that a key is below; '' is one of them. */
function ownerOf(key: string, paths: ReadonlyMap<string, unknown>): string {
  let path = key;
  do path = path.slice(0, Math.max(0, path.lastIndexOf('.')));
  while (!paths.has(path));
  return path;
}

/** PyTorch's way of joining a path. */
function join(prefix: string, name: string): string {
  return prefix ? `${prefix}.${name}` : name;
}

/** Each state once, under its first name. */
function* distinct(
  named: Iterable<[string, Parameter]>,
  filter: (state: Parameter) => boolean,
): Iterable<[string, Parameter]> {
  const seen = new Set<Parameter>();
  for (const [path, state] of named) {
    if (!filter(state) || seen.has(state)) continue;
    seen.add(state);
    yield [path, state];
  }
}

function quoted(keys: readonly string[]): string {
  return keys.map((key) => `"${key}"`).join(', ');
}

function torchSize(shape: Shape): string {
  return `torch.Size(${formatShape(shape)})`;
}
