/** Containers: Sequential, ModuleList, ModuleDict. Their items are kept in Maps, so no name clashes with a method. */

import { KeyError, UnsupportedError, ValueError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { Module } from './module.ts';

/** An item of a container; null stands for no module, as None does in PyTorch. */
type Item = Module<any> | null;

/** {@link Module.everyDependency} of items. */
function everyDependencyOf(items: Iterable<Item>, holds: (dependency: unknown) => boolean): boolean {
  for (const item of items) if (item && !item.everyDependency(holds)) return false;
  return true;
}

function checkModule(item: unknown): void {
  if (item === null || item instanceof Module) return;
  const got = (item as object | undefined)?.constructor?.name ?? String(item);
  throw new ValueError(`${got} is not a Module subclass`);
}

function checkName(name: unknown): void {
  if (typeof name !== 'string') throw new ValueError(`module name should be a string. Got ${typeof name}`);
  if (name.includes('.')) throw new KeyError(`module name can't contain ".", got: ${name}`);
  if (name === '') throw new KeyError('module name can\'t be empty string ""');
}

/** Runs its items one after the other. @see torch.nn.Sequential */
export class Sequential extends Module<any> {
  readonly #items: Map<string, Item>;

  /** @param items modules, named '0', '1', …; or one Map or array of entries, with names */
  constructor(
    ...items: Module<any>[] | [ReadonlyMap<string, Module<any>> | readonly (readonly [string, Module<any>])[]]
  ) {
    super();
    const [first] = items;
    const named = first instanceof Map || Array.isArray(first);
    const entries: Iterable<readonly [string, unknown]> = named
      ? (first as ReadonlyMap<string, Module<any>>)
      : (items as Module<any>[]).map((item, i) => [String(i), item] as const);
    this.#items = new Map();
    for (const entry of entries) {
      if (!Array.isArray(entry)) {
        const got = (entry as object | null)?.constructor?.name ?? String(entry);
        throw new ValueError(`Sequential: expected modules, or entries of names and modules, got an array of ${got}`);
      }
      const [name, item] = entry;
      checkName(name);
      checkModule(item);
      this.#items.set(name, item as Item);
    }
  }

  override members(): Iterable<[string, Item]> {
    return this.#items;
  }

  override everyDependency(holds: (dependency: unknown) => boolean): boolean {
    return super.everyDependency(holds) && everyDependencyOf(this.#items.values(), holds);
  }

  /** The number of items. */
  get length(): number {
    return this.#items.size;
  }

  /** The item at an index; negative ones count from the end. @throws {@link KeyError} where there is none */
  at(index: number): Module<any> {
    return itemAt('Sequential', [...this.#items.values()], index);
  }

  /** Adds an item under the next number. */
  append(item: Module<any>): this {
    checkModule(item);
    this.#items.set(String(this.#items.size), item);
    return this;
  }

  /** The items, in order. */
  [Symbol.iterator](): Iterator<Module<any>> {
    return this.#items.values() as Iterator<Module<any>>;
  }

  forward(x: Value): any {
    let y: unknown = x;
    for (const item of this.#items.values()) y = item!.call(y as Value);
    return y;
  }
}

function itemAt(name: string, items: readonly Item[], index: number): Module<any> {
  const item = items.at(index);
  if (!item) {
    const range = items.length === 0 ? 'of 0 items' : `from ${-items.length} to ${items.length - 1}`;
    throw new KeyError(`${name}: expected an index ${range}, got ${index}`);
  }
  return item;
}

/** A list of modules; it has no forward of its own. @see torch.nn.ModuleList */
export class ModuleList extends Module<any> {
  readonly #items: Item[] = [];

  constructor(items: Iterable<Module<any>> = []) {
    super();
    for (const item of items) this.append(item);
  }

  override *members(): Iterable<[string, Item]> {
    for (const [i, item] of this.#items.entries()) yield [String(i), item];
  }

  override everyDependency(holds: (dependency: unknown) => boolean): boolean {
    return super.everyDependency(holds) && everyDependencyOf(this.#items, holds);
  }

  /** The number of items. */
  get length(): number {
    return this.#items.length;
  }

  /** The item at an index; negative ones count from the end. @throws {@link KeyError} where there is none */
  at(index: number): Module<any> {
    return itemAt('ModuleList', this.#items, index);
  }

  /** Adds an item at the end. */
  append(item: Module<any>): this {
    checkModule(item);
    this.#items.push(item);
    return this;
  }

  /** Adds items at the end. */
  extend(items: Iterable<Module<any>>): this {
    for (const item of items) this.append(item);
    return this;
  }

  /** The items, in order. */
  [Symbol.iterator](): Iterator<Module<any>> {
    return this.#items.values() as Iterator<Module<any>>;
  }

  forward(): never {
    throw missingForward(this.constructor.name);
  }
}

function missingForward(name: string): UnsupportedError {
  return new UnsupportedError(`Module [${name}] is missing the required "forward" function`);
}

/** What a ModuleDict can be made of. */
export type ModuleDictItems =
  | ModuleDict<any>
  | ReadonlyMap<string, Module<any> | null>
  | Iterable<readonly [string, Module<any> | null]>
  | Readonly<Record<string, Module<any> | null>>;

/** Modules by name, in order of insertion; it has no forward of its own. @see torch.nn.ModuleDict */
export class ModuleDict<Out = any> extends Module<Out> {
  readonly #items = new Map<string, Item>();

  constructor(items: ModuleDictItems = []) {
    super();
    this.update(items);
  }

  override members(): Iterable<[string, Item]> {
    return this.#items;
  }

  override everyDependency(holds: (dependency: unknown) => boolean): boolean {
    return super.everyDependency(holds) && everyDependencyOf(this.#items.values(), holds);
  }

  /** The number of items. */
  get size(): number {
    return this.#items.size;
  }

  /** True where there is an item of this name. */
  has(name: string): boolean {
    return this.#items.has(name);
  }

  /** The item of this name. @throws {@link KeyError} where there is none */
  get(name: string): Module<any> | null {
    if (!this.#items.has(name)) {
      const names = [...this.#items.keys()].map((key) => `"${key}"`).join(', ') || 'no items';
      throw new KeyError(`${this.constructor.name}: expected one of ${names}, got "${name}"`);
    }
    return this.#items.get(name)!;
  }

  /** Adds or replaces an item. @throws {@link KeyError} where the name is empty or has a dot */
  set(name: string, item: Module<any> | null): this {
    checkName(name);
    checkModule(item);
    this.#items.set(name, item);
    return this;
  }

  /** Removes an item and returns it. @throws {@link KeyError} where there is none */
  pop(name: string): Module<any> | null {
    const item = this.get(name);
    this.#items.delete(name);
    return item;
  }

  /** Removes all items. */
  clear(): void {
    this.#items.clear();
  }

  /** Adds or replaces items, from another ModuleDict, a Map, entries or a plain object. */
  update(items: ModuleDictItems): this {
    if (typeof items !== 'object' || items === null) {
      throw new ValueError(
        `ModuleDict.update should be called with an iterable of key/value pairs, but got ${items === null ? 'null' : typeof items}`,
      );
    }
    const iterable = items instanceof ModuleDict ? items.items() : items;
    const entries = Symbol.iterator in iterable ? (iterable as Iterable<unknown>) : Object.entries(iterable);
    let i = 0;
    for (const entry of entries) {
      if (!Array.isArray(entry)) {
        throw new ValueError(`ModuleDict update sequence element #${i} should be Iterable; is ${typeof entry}`);
      }
      if (entry.length !== 2) {
        throw new ValueError(`ModuleDict update sequence element #${i} has length ${entry.length}; 2 is required`);
      }
      this.set(entry[0], entry[1]);
      i++;
    }
    return this;
  }

  protected override printedChildren(): Iterable<[string, Item]> {
    return this.#items;
  }

  /** The names, in order. */
  keys(): IterableIterator<string> {
    return this.#items.keys();
  }

  /** The items, in order. */
  values(): IterableIterator<Module<any> | null> {
    return this.#items.values();
  }

  /** Names and items, in order. */
  items(): IterableIterator<[string, Module<any> | null]> {
    return this.#items.entries();
  }

  /** The names, as iterating a ModuleDict does in PyTorch. */
  [Symbol.iterator](): IterableIterator<string> {
    return this.keys();
  }

  forward(..._inputs: any[]): Out {
    throw missingForward(this.constructor.name);
  }
}
