/**
 * Module: the node of a model's hierarchy, as in torch.nn. Children, parameters and buffers are a module's own
 * properties in the order of their assignment, and a property's name is its state-dict key.
 */

import { cut, describe, KeyError, listed, StateDictError, ValueError } from '../errors.ts';
import { type Graph, recording, recordingInto, type Value } from '../graph/graph.ts';
import { callable, flag, withDefaults } from '../options.ts';
import { type CompileOptions, checkedOptions } from '../plan/compile-options.ts';
import type { Compiled } from '../plan/compiled.ts';
import { Buffer, Constant, Parameter } from '../tensor/parameter.ts';
import type { Shape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import type { TensorStream } from '../tensor/tensor-stream.ts';
import { type AsyncOptions, checkedAsyncOptions, Execution, missingValues } from './execution.ts';
import {
  checkedLoadOptions,
  hasShape,
  type IncompatibleKeys,
  join,
  type Loadable,
  type LoadStateDictAsyncOptions,
  matchStateDict,
  packValues,
  readValues,
  setValues,
} from './load-state-dict.ts';
import { everyPart, type Member, Members, Registered } from './members.ts';
import { graphOf, type Materialized } from './output.ts';
import { hierarchy, tuple } from './repr.ts';
import type { Dependency } from './snapshot.ts';
import { entriesOf, StateDict, type StateDictLike } from './state-dict.ts';

/**
 * A module, whatever `forward` returns. Not `Module<unknown>`: what a child returns goes into the next one's `call` as
 * it is, and only a container's user knows what it holds.
 */
export type AnyModule = Module<any>;

/** Called with a module, its inputs and its output while tracing; what it returns, if anything, replaces the output. */
export type ForwardHook<Out> = (module: Module<Out>, inputs: readonly unknown[], output: Out) => Out | undefined;

/**
 * The base class of all modules. A subclass assigns children and parameters in its constructor and defines `forward` on
 * values:
 *
 *     class Block extends Module {
 *       readonly conv = new Conv2d(3, 8, 3, { padding: 1 });
 *       forward(x: Value) { return relu(this.conv.call(x)); }
 *     }
 *
 * Every module of layertap computes as PyTorch's in eval mode, whatever its `training` flag says. Attributes may change
 * between calls, also inside of arrays, Maps and plain objects: the next call computes with what they are then. Private
 * fields and other objects can't be watched; after a change inside of one that `forward` reads, call {@link compile}.
 *
 * @typeParam Out what `forward` returns: a value, or a Map or array of them
 * @see torch.nn.Module
 */
export abstract class Module<Out = Value> extends Registered {
  #training = true;
  #isTrainingRead = false;
  /**
   * Whether the module is one node of a model, so that nodes inside of it have no names. It isn't unless a class says
   * so: {@link Layer}s are, as torch.nn's are.
   */
  isLeaf?(): boolean;
  /** What state_dict's metadata says of this class. */
  protected get version(): number {
    return 1;
  }

  readonly #members: Members;
  readonly #hooks = new Map<object, ForwardHook<any>>();
  #execution: Execution<Out> | null = null;
  #options: CompileOptions = {};

  constructor() {
    const members = new Members();
    super(members);
    this.#members = members;
  }

  /** The module's computation, recorded once for each input shape. Children are run with their `call`. */
  abstract forward(...inputs: any[]): Out;

  /**
   * Runs the module. On values, inside of another module's `forward`, it records the computation; on float32 tensors it
   * computes: compiled on the first call with an input shape, then from the plan. Results are the caller's to keep. An
   * empty batch gives empty tensors.
   *
   * @throws {@link ValueError} where something else than tensors or values came
   * @throws {@link ShapeError} where an input doesn't fit, with both sizes in the message
   * @throws {@link StateDictError} where a parameter that is needed has no values yet
   */
  call(...inputs: Tensor[]): Materialized<Out>;
  call(...inputs: any[]): Out;
  call(...inputs: any[]): Out | Materialized<Out> {
    if (inputs.length > 0 && inputs.every((x) => x instanceof Tensor)) {
      return this.execution().run(inputs);
    }
    const graph = graphOf(inputs) ?? recording;
    if (!graph) throw notTensors('call', inputs);
    return recordingInto(graph, () => {
      graph.watch?.enter?.(this, inputs);
      try {
        let output = this.forward(...inputs);
        if (!graph.watch?.isQuiet) {
          for (const hook of [...this.#hooks.values()]) output = hook(this, inputs, output) ?? output;
        }
        return graph.complete(this, output) as Out;
      } finally {
        graph.watch?.exit?.(this);
      }
    });
  }

  /**
   * Runs the module on tensors as {@link call} does and gives the same bits, but with a turn of the event loop after
   * each stretch of steps worth about 16 ms. All work is on this thread: between two turns it is blocked as long as a
   * step takes, at first by compiling, too. Calls on one module wait for each other, and compute with the weights of
   * the moment at which they were made; a call without `Async` in between finishes the one under way first.
   *
   * @param inputs a tensor or several; they mustn't change until the call ends
   * @returns a promise, rejected with the signal's reason where it was aborted; the module stays usable
   * @throws what {@link call} throws, as a rejection
   */
  async callAsync(inputs: Tensor | readonly Tensor[], options: AsyncOptions = {}): Promise<Materialized<Out>> {
    const known = checkedAsyncOptions(withDefaults('callAsync', options, { onProgress: undefined, signal: undefined }));
    const tensors = inputs instanceof Tensor ? [inputs] : inputs;
    if (!Array.isArray(tensors) || tensors.length === 0 || ![...tensors].every((x) => x instanceof Tensor)) {
      throw notTensors('callAsync', inputs);
    }
    return this.execution().runAsync(tensors, known);
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
    for (const [, module] of this.everyModule()) module.#members.changed();
    return this;
  }

  /** @internal What compiled the module for tensors: made anew when parameters, children or hooks have changed. */
  execution(): Execution<Out> {
    if (!this.#execution?.isCurrent) this.#execution = new Execution(this, this.#options);
    return this.#execution;
  }

  /**
   * The compiled model behind `call` with tensors, or null before the first such call: its binary and memory, for
   * reports.
   */
  get compiled(): Compiled | null {
    return this.#execution?.model ?? null;
  }

  /**
   * Registers a hook that runs whenever the module is traced, twice where it is registered twice, and returns a
   * function that removes this registration. It gets values, not tensors: what it records becomes part of the plan.
   *
   * @see torch.nn.Module.register_forward_hook
   */
  registerForwardHook(hook: ForwardHook<Out>): () => void {
    callable('registerForwardHook', hook);
    const registration = {};
    this.#hooks.set(registration, hook);
    this.#members.changed();
    return () => {
      if (this.#hooks.delete(registration)) this.#members.changed();
    };
  }

  /**
   * @internal What a trace depends on: the members of this module and of all below it, and their parameters. They are
   *   no Proxies, through which each look of each call would be slow.
   */
  dependencies(): readonly Dependency[] {
    return this.everyModule().flatMap(([, module]) => {
      const members = module.#members;
      return [members, ...[...members.registered.values()].filter((member) => member instanceof Parameter)];
    });
  }

  /**
   * @internal The modules that ran in a trace although they aren't below this one, as one that `forward` makes.
   *
   * @param parameters all that the trace reads
   * @throws {@link StateDictError} where one of these isn't below this module, so that no state dict would reach it
   */
  strangersIn(graph: Graph, parameters: Iterable<Parameter>): readonly AnyModule[] {
    const known = new Set<unknown>(this.modules());
    for (const [, state] of this.namedState()) known.add(state);
    const ran = new Set(graph.completed.map(({ module }) => module as AnyModule));
    const strangers = [...ran].filter((module) => !known.has(module));
    const lost = [...parameters].filter((parameter) => !known.has(parameter) && !(parameter instanceof Constant));
    if (lost.length === 0) return strangers;
    // The outermost module completes last.
    const outermost = [...strangers].reverse();
    const ownerOf = (state: Parameter) =>
      outermost.find((one) => [...one.namedState()].some(([, own]) => own === state));
    const parts = new Set(lost.map((state) => ownerOf(state) ?? state));
    const got = [...parts].map((part) => `${describe(part)} ${placeOf(part, this)}`);
    throw new StateDictError(
      `${this.constructor.name}: expected all parameters that run to be registered, ` +
        `got ${[...new Set(got)].slice(0, 8).join(', ')}; ` +
        'assign modules to properties, or hold them in a ModuleList',
    );
  }

  /** @internal What the traps of this module note. Containers keep their items there. */
  protected get notes(): Members {
    return this.#members;
  }

  /** @internal True for containers, whose items are no properties. */
  get hasItems(): boolean {
    return false;
  }

  /**
   * @internal Children, parameters and buffers in the order of their registration; null where a child was taken away.
   */
  members(): ReadonlyMap<string, Member> {
    return this.#members.registered;
  }

  /** @internal The member of that name: null where a child was taken away, undefined where there never was one. */
  member(name: string): Member | undefined {
    return this.#members.registered.get(name);
  }

  /**
   * Adds a child under a name, or replaces it; on a container, an item.
   *
   * @throws {@link KeyError} where the name is empty, has a dot, or is another attribute's
   * @throws {@link ValueError} where it isn't a module, or null
   * @see torch.nn.Module.add_module
   */
  addModule(name: string, module: AnyModule | null): this {
    checkModule(module);
    checkName(name);
    if (this.hasItems) this.#members.register(name, module);
    else {
      if (name in this && !this.#holds(name)) throw new KeyError(`attribute '${name}' already exists`);
      Reflect.set(this, name, module);
    }
    return this;
  }

  /**
   * Replaces the module at a dotted path: `net.setSubmodule('layer1.0.bn1', new FrozenBatchNorm2d(64))`.
   *
   * @throws {@link KeyError} naming the part that is missing and what there is: {@link addModule} adds one
   * @throws {@link ValueError} where it isn't a module, or null
   * @see torch.nn.Module.set_submodule
   */
  setSubmodule(path: string, module: AnyModule | null): this {
    checkModule(module);
    const [parents, name] = splitPath(typeof path === 'string' ? path : '');
    const parent = this.#follow('setSubmodule', parents, path);
    if (!parent.#holds(name) || parent.member(name) instanceof Parameter) {
      throw parent.#noChild('setSubmodule', name, path, this);
    }
    parent.addModule(name, module);
    return this;
  }

  /** Whether a member has that name, or had it until it was set to null. */
  #holds(name: string): boolean {
    return this.member(name) !== undefined || (!this.hasItems && Reflect.get(this, name) === null);
  }

  /** Direct children with their names, each module once, nulls skipped. @see torch.nn.Module.named_children */
  namedChildren(): Iterable<[name: string, child: AnyModule]> {
    const children = new Map<AnyModule, string>();
    for (const [name, member] of this.members()) {
      if (member instanceof Module && !children.has(member)) children.set(member, name);
    }
    return Array.from(children, ([child, name]) => [name, child]);
  }

  /** Direct children. */
  children(): Iterable<AnyModule> {
    return Array.from(this.namedChildren(), ([, child]) => child);
  }

  /**
   * This module and all below it, each once, with dotted paths; this one's is ''. @see torch.nn.Module.named_modules
   */
  namedModules(prefix = ''): Iterable<[path: string, module: AnyModule]> {
    const paths = new Map<AnyModule, string>();
    this.#eachOnce(prefix, paths);
    return Array.from(paths, ([module, path]) => [path, module]);
  }

  #eachOnce(path: string, paths: Map<AnyModule, string>): void {
    if (paths.has(this)) return;
    paths.set(this, path);
    this.members().forEach((member, name) => {
      if (member instanceof Module) member.#eachOnce(join(path, name), paths);
    });
  }

  /** This module and all below it, each once. */
  modules(): Iterable<AnyModule> {
    return Array.from(this.namedModules(), ([, module]) => module);
  }

  /** Parameters of this module and all below it, each once, with dotted paths. @see torch.nn.Module.named_parameters */
  namedParameters(): Iterable<[path: string, parameter: Parameter]> {
    return distinct(this.namedState(), (state) => !(state instanceof Buffer));
  }

  /** Parameters of this module and all below it. */
  parameters(): Iterable<Parameter> {
    return Array.from(this.namedParameters(), ([, parameter]) => parameter);
  }

  /** Buffers of this module and all below it, each once, with dotted paths. @see torch.nn.Module.named_buffers */
  namedBuffers(): Iterable<[path: string, buffer: Buffer]> {
    return distinct(this.namedState(), (state) => state instanceof Buffer);
  }

  /** Buffers of this module and all below it. */
  buffers(): Iterable<Buffer> {
    return Array.from(this.namedBuffers(), ([, buffer]) => buffer);
  }

  /**
   * @internal Parameters and buffers by their state-dict keys, a module's parameters first: a shared module's under
   *   each of its names.
   *
   * @param into what they are added to: a generator within a generator makes garbage for each level that an item passes
   */
  namedState(prefix = '', into: [path: string, state: Parameter][] = []): readonly [string, Parameter][] {
    const { registered } = this.#members;
    const buffers: typeof into = [];
    registered.forEach((member, name) => {
      if (member instanceof Parameter) (member instanceof Buffer ? buffers : into).push([join(prefix, name), member]);
    });
    for (const buffer of buffers) into.push(buffer);
    registered.forEach((member, name) => {
      if (member instanceof Module) member.namedState(join(prefix, name), into);
    });
    return into;
  }

  /** @internal This module and all below it, a shared one under each of its names. */
  everyModule(prefix = '', into: [path: string, module: AnyModule][] = []): readonly [string, AnyModule][] {
    into.push([prefix, this]);
    this.#members.registered.forEach((member, name) => {
      if (member instanceof Module) member.everyModule(join(prefix, name), into);
    });
    return into;
  }

  /** Keys below this module that a state dict needn't hold. */
  protected optionalKeys(): readonly string[] {
    return [];
  }

  /** Keys below this module that a state dict may hold although the module has no use for them. */
  protected ignoredKeys(): readonly string[] {
    return [];
  }

  /**
   * Keys that the whole model has and this module was made without; one that ends in a dot stands for all keys below a
   * child. A strict load ignores them. Without `strict` they are listed with the other keys that weren't used, as in
   * PyTorch.
   */
  protected droppedKeys(): readonly string[] {
    return [];
  }

  /**
   * Keys below this module and what older files call them. It is asked before a state dict is matched; a module whose
   * structure was another one may become that one here.
   *
   * @param _given the state dict's entries, each a tensor or what a file says of one
   * @param _prefix what this module's keys begin with in it
   * @see torch.nn.Module._load_from_state_dict, which torchvision's modules override for the same
   */
  protected olderKeys(
    _given: ReadonlyMap<string, unknown>,
    _prefix: string,
  ): Iterable<readonly [key: string, older: string]> {
    return [];
  }

  /**
   * The module at a dotted path, e.g. `layer1.0.conv2`; '' is this one.
   *
   * @throws {@link KeyError} naming the part that is missing and what there is
   * @see torch.nn.Module.get_submodule
   */
  getSubmodule(path: string): AnyModule {
    return this.#follow('getSubmodule', path, path);
  }

  #follow(method: string, to: string, path: string): AnyModule {
    if (typeof path !== 'string') throw new KeyError(`${method}: expected a dotted path, got ${describe(path)}`);
    let module: AnyModule = this;
    for (const name of to === '' ? [] : to.split('.')) {
      const member = module.member(name);
      if (!(member instanceof Module)) throw module.#noChild(method, name, path, this);
      module = member;
    }
    return module;
  }

  #noChild(method: string, name: string, path: string, root: AnyModule): KeyError {
    const names = [...this.namedChildren()].map(([child]) => child);
    const type = this.constructor.name;
    const isState = this.member(name) instanceof Parameter;
    const problem = isState ? `\`${cut(name)}\` is not a Module` : `${type} has no attribute \`${cut(name)}\``;
    return new KeyError(
      `${method}: ${problem} (in ${describe(path)}); the children of ${type} are ${listed(names, 24)}` +
        root.pathHint([path]),
    );
  }

  /** @internal `; write "layer4.0"` for paths with brackets that are right with dots; '' for others. */
  pathHint(paths: readonly string[]): string {
    const all = new Set([...this.namedModules()].map(([path]) => path));
    const right = paths.flatMap((path) => {
      const dotted = path.replace(/\[['"]?([^\]'"]*)['"]?\]/g, '.$1');
      return dotted !== path && all.has(dotted) ? dotted : [];
    });
    return right.length > 0 ? `; write ${listed(right)}` : '';
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
   * Takes over tensors by their keys, without copying them. With `strict` (the default) keys must match exactly; shapes
   * always must. Batch norm's `num_batches_tracked` may be missing, as in files from before PyTorch 0.4.1. An
   * IntermediateLayerGetter takes the whole model's keys: it ignores those of the children that it dropped. Nothing is
   * changed where it throws.
   *
   * @param stateDict a Map, entries, or a plain object
   * @returns the keys that were missing and those that weren't used
   * @throws {@link StateDictError} with all problems at once, in PyTorch's words
   * @see torch.nn.Module.load_state_dict
   */
  loadStateDict(stateDict: StateDictLike, options: { readonly strict?: boolean } = {}): IncompatibleKeys {
    const strict = flag('loadStateDict: strict', withDefaults('loadStateDict', options, { strict: true }).strict);
    const isTensor = (entry: unknown) => entry instanceof Tensor;
    const given = entriesOf(stateDict);
    const { matches, keys } = matchStateDict(this.#loadable(given), given, strict, isTensor);
    setValues(matches);
    return keys;
  }

  /**
   * Loads a state dict from a file whose tensors arrive one by one, as {@link loadStateDict} does. Keys and shapes are
   * checked before any of the values are asked for; then only those that the module has.
   *
   * With `inputShapes`, values aren't kept: the module is compiled for these shapes at once, each weight is written to
   * WASM memory in the order of its kernel as soon as it arrives, and is let go. So memory holds a weight once. Vectors
   * (biases, batch norm's) are kept, and parameters that no such input reaches aren't read. Another input shape runs as
   * long as it takes the same algorithms. From the moment at which values are asked for until all have arrived, the
   * module has none; it has none either where loading fails.
   *
   * @returns the keys that were missing and those that weren't used
   * @throws {@link StateDictError} with all problems at once, in PyTorch's words, before anything is read; or, with
   *   `inputShapes`, where the module changes while it is loading: without them it is loaded as it was at the call
   * @throws {@link MemoryError} where the module doesn't fit, before anything is read
   * @throws {@link FormatError} where the file gives other tensors than it said
   * @throws the signal's reason where it is aborted; what reading throws
   */
  async loadStateDictAsync(file: TensorStream, options: LoadStateDictAsyncOptions = {}): Promise<IncompatibleKeys> {
    const { strict, inputShapes, reading } = checkedLoadOptions(file, options);
    const { matches, keys } = matchStateDict(this.#loadable(file.tensors), file.tensors, strict, hasShape);
    reading.signal?.throwIfAborted();
    if (!inputShapes) {
      await readValues(file, matches, reading);
      return keys;
    }
    const compileOptions = this.#options;
    const execution = new Execution<Out>(this, compileOptions);
    const packing = execution.packing(inputShapes);
    this.#execution = null;
    const kept = await packValues(file, matches, packing, reading);
    if (!execution.isCurrent || this.#options !== compileOptions) {
      throw new StateDictError(
        `${this.constructor.name}: expected a module that stays as it is while it is loaded, got one that changed`,
      );
    }
    for (const [state, tensor] of kept) state.tensor = tensor;
    packing.end();
    this.#execution = execution;
    return keys;
  }

  /** The module as a state dict of these entries sees it. */
  #loadable(given: ReadonlyMap<string, unknown>): Loadable {
    const olderKeys = new Map<string, string>();
    // A module may change while it is asked: what it holds is listed after.
    for (const [path, module] of this.everyModule()) {
      for (const [key, older] of module.olderKeys(given, join(path, ''))) {
        olderKeys.set(join(path, key), join(path, older));
      }
    }
    const modules = this.everyModule().map(([path, module]) => ({
      path,
      optionalKeys: module.optionalKeys(),
      ignoredKeys: module.ignoredKeys(),
      droppedKeys: module.droppedKeys(),
    }));
    return { name: this.constructor.name, states: this.namedState(), modules, olderKeys };
  }

  /**
   * PyTorch's flag: true until `eval()`. No module of layertap depends on it. Where a `forward` of one's own reads it,
   * a change of it counts.
   */
  get training(): boolean {
    this.#isTrainingRead = true;
    return this.#training;
  }

  set training(mode: boolean) {
    this.#training = mode;
  }

  /** Sets the training flag of this module and all below it. */
  train(mode = true): this {
    flag('train: mode', mode);
    // Not by way of the setter, which counts as a change whether anything reads the flag or not.
    if (this.#isTrainingRead && this.#training !== mode) this.#members.changed();
    this.#training = mode;
    for (const child of this.children()) child.train(mode);
    return this;
  }

  /** Clears the training flag of this module and all below it. */
  eval(): this {
    return this.train(false);
  }

  /** Calls `fn` on every module below and then on this one. @see torch.nn.Module.apply */
  apply(fn: (module: AnyModule) => void): this {
    callable('apply', fn);
    for (const child of [...this.children()]) child.apply(fn);
    fn(this);
    return this;
  }

  /** What {@link toString} prints between a leaf's parentheses, in PyTorch's words. */
  protected extraRepr(): string {
    return '';
  }

  /** @internal What {@link toString} prints below this module: its children, under each of their names. */
  protected *printedChildren(): Iterable<[name: string, child: unknown]> {
    for (const [name, member] of this.members()) if (!(member instanceof Parameter)) yield [name, member];
  }

  /** The hierarchy as PyTorch prints it. */
  override toString(): string {
    return hierarchy(this.constructor.name, this.extraRepr(), this.printedChildren());
  }

  /** For console.log: a line with the children's names, where {@link toString} has lines for all that is below. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    const names = Array.from(this.printedChildren(), ([name]) => name);
    return names.length === 0 ? this.toString() : this.constructor.name + tuple(names);
  }
}

/** @throws {@link ValueError} where it is neither a module nor null, in PyTorch's words */
export function checkModule(item: unknown): void {
  if (item !== null && !(item instanceof Module)) throw notAModule(item);
}

/** The error for what came in a module's place, in PyTorch's words first. */
export function notAModule(item: unknown): ValueError {
  const wayOut = typeof item === 'function' && item.prototype instanceof Module ? `; write new ${item.name}(…)` : '';
  return new ValueError(`${describe(item)} is not a Module subclass; expected an instance of one${wayOut}`);
}

function notTensors(caller: string, inputs: unknown): ValueError {
  return new ValueError(`${caller}: expected Tensors, got ${describe(inputs)}`);
}

/** @throws {@link ValueError} or {@link KeyError} where it can't be a module's name, in PyTorch's words */
export function checkName(name: unknown): void {
  if (typeof name !== 'string') throw new ValueError(`module name should be a string. Got ${describe(name)}`);
  if (name.includes('.')) throw new KeyError(`module name can't contain ".", got: ${cut(name)}`);
  if (name === '') throw new KeyError('module name can\'t be empty string ""');
}

/** What is before a path's last name, and that name. */
function splitPath(path: string): [parents: string, name: string] {
  const dot = path.lastIndexOf('.');
  return [path.slice(0, Math.max(0, dot)), path.slice(dot + 1)];
}

/** Where a module or parameter that isn't registered is held, in so far as a property tells. */
function placeOf(part: object, root: AnyModule): string {
  for (const module of root.modules()) {
    for (const [name, content] of Object.entries(module)) {
      if (content instanceof Registered || everyPart(Object(content), (one) => one !== part)) continue;
      const kind = Array.isArray(content) ? 'array' : content.constructor?.name;
      return `in the ${kind} "${name}" of ${module.constructor.name}`;
    }
  }
  return 'in no property of a module';
}

/** Each state once, under its first name. */
function distinct(
  named: readonly [string, Parameter][],
  filter: (state: Parameter) => boolean,
): [path: string, state: Parameter][] {
  const paths = new Map<Parameter, string>();
  for (const [path, state] of named) if (filter(state) && !paths.has(state)) paths.set(state, path);
  return Array.from(paths, ([state, path]) => [path, state]);
}
