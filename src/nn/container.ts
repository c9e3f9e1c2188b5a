/**
 * Containers: Sequential, ModuleList, ModuleDict. Their items are members without being properties, so no name clashes
 * with a method; a module that is assigned to a property of a container is an item, as in PyTorch.
 */

import { describe, KeyError, listed, UnsupportedError, ValueError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { entriesInOrder, hasEntries, isPair } from '../options.ts';
import { Parameter } from '../tensor/parameter.ts';
import { type AnyModule, checkModule, checkName, Module, notAModule } from './module.ts';

/** An item of a container; null stands for no module, as None does in PyTorch. */
type Item = AnyModule | null;

/** A container's items: its members but for parameters and buffers. */
function itemsOf(members: Iterable<readonly [string, unknown]>): Map<string, Item> {
  return new Map([...members].filter(([, member]) => !(member instanceof Parameter)) as [string, Item][]);
}

/** What containers whose items have a place share. Indices count from 0; negative ones from the end. */
abstract class OrderedContainer extends Module<any> {
  /** @internal */
  override get hasItems(): boolean {
    return true;
  }

  /** The number of items. */
  get length(): number {
    return itemsOf(this.members()).size;
  }

  /** The items, in order. */
  [Symbol.iterator](): Iterator<AnyModule> {
    return itemsOf(this.members()).values() as Iterator<AnyModule>;
  }

  /** The item at an index. @throws {@link KeyError} where there is none */
  at(index: number): AnyModule {
    return this.notes.registered.get(this.#nameAt(index)) as AnyModule;
  }

  /** Replaces the item at an index. @throws {@link KeyError} where there is none */
  set(index: number, item: AnyModule): this {
    checkItem(item);
    this.notes.register(this.#nameAt(index), item);
    return this;
  }

  /** Adds an item under the next number. @throws {@link KeyError} where an item has that name already */
  append(item: AnyModule): this {
    checkItem(item);
    const name = String(this.length);
    if (this.notes.registered.has(name)) {
      throw new KeyError(`${this.constructor.name}: expected no item "${name}" among ${this.length}, got one`);
    }
    this.notes.register(name, item);
    return this;
  }

  /** Adds items under the next numbers. */
  extend(items: Iterable<AnyModule>): this {
    const given = items as Partial<Iterable<AnyModule>> | null | undefined;
    if (typeof given?.[Symbol.iterator] !== 'function' || typeof items === 'string') {
      throw new ValueError(`${this.constructor.name}: expected an array of modules, got ${describe(items)}`);
    }
    const all = [...items];
    all.forEach(checkItem);
    for (const item of all) this.append(item);
    return this;
  }

  /**
   * Adds an item before the one at an index, or at the end for `length`; later ones move up by one number.
   *
   * @throws {@link KeyError} where there is no such place, or items have names of their own
   */
  insert(index: number, item: AnyModule): this {
    checkItem(item);
    const items = [...this];
    if (index !== this.length) this.#nameAt(index);
    const named = [...itemsOf(this.members()).keys()].filter((name, i) => name !== String(i));
    if (named.length > 0) {
      throw new KeyError(
        `${this.constructor.name}: expected to insert among items named by numbers, got ${listed(named)}`,
      );
    }
    items.splice(index, 0, item);
    this.#renumber(items);
    return this;
  }

  /**
   * Removes the item at an index and returns it; all others are numbered anew. @throws {@link KeyError} where there is
   * none
   */
  pop(index = -1): AnyModule {
    const item = this.at(index);
    this.delete(index);
    return item;
  }

  /**
   * Removes the item at an index; all others are numbered anew, as in PyTorch. @throws {@link KeyError} where there is
   * none
   */
  delete(index: number): this {
    this.#nameAt(index);
    const items = [...this];
    items.splice(index, 1);
    this.#renumber(items);
    return this;
  }

  #renumber(items: readonly AnyModule[]): void {
    for (const name of itemsOf(this.members()).keys()) this.notes.unregister(name);
    for (const [i, item] of items.entries()) this.notes.register(String(i), item);
  }

  #nameAt(index: number): string {
    const names = [...itemsOf(this.members()).keys()];
    const name = Number.isInteger(index) ? names.at(index) : undefined;
    if (name !== undefined) return name;
    const range = names.length === 0 ? 'of 0 items' : `from ${-names.length} to ${names.length - 1}`;
    throw new KeyError(`${this.constructor.name}: expected an index ${range}, got ${describe(index)}`);
  }
}

/** @throws {@link ValueError} where it isn't a module */
function checkItem(item: unknown): void {
  if (item === null) throw notAModule(item);
  checkModule(item);
}

/** Runs its items one after the other. @see torch.nn.Sequential */
export class Sequential extends OrderedContainer {
  /** @param items modules, named '0', '1', …; or one Map or array of entries, with names */
  constructor(...items: AnyModule[] | [ReadonlyMap<string, AnyModule> | readonly (readonly [string, AnyModule])[]]) {
    super();
    const [first] = items;
    const named = first instanceof Map || Array.isArray(first);
    const entries: Iterable<readonly [string, unknown]> = named
      ? (first as ReadonlyMap<string, AnyModule>)
      : (items as AnyModule[]).map((item, i) => [String(i), item] as const);
    for (const entry of entries) {
      if (!Array.isArray(entry)) {
        const got = describe(entry);
        throw new ValueError(`Sequential: expected modules, or entries of names and modules, got an array with ${got}`);
      }
      const [name, item] = entry;
      checkName(name);
      checkItem(item);
      this.notes.register(name, item as AnyModule);
    }
  }

  /**
   * A Sequential of the same modules from one index up to another, as an array's `slice`, under the names that they
   * have here.
   *
   * @see torch.nn.Sequential, where it is `features[begin:end]`
   */
  slice(begin?: number, end?: number): Sequential {
    return new Sequential([...itemsOf(this.members())].slice(begin, end) as [string, AnyModule][]);
  }

  forward(x: Value): any {
    let y: unknown = x;
    for (const item of this) y = item.call(y as Value);
    return y;
  }
}

/** A list of modules; it has no forward of its own. @see torch.nn.ModuleList */
export class ModuleList extends OrderedContainer {
  constructor(items: Iterable<AnyModule> = []) {
    super();
    this.extend(items);
  }

  /** A ModuleList of the same modules from one index up to another, as an array's `slice`. */
  slice(begin?: number, end?: number): ModuleList {
    return new ModuleList([...this].slice(begin, end));
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
  | ReadonlyMap<string, AnyModule | null>
  | Iterable<readonly [string, AnyModule | null]>
  | Readonly<Record<string, AnyModule | null>>;

/** Modules by name, in order of insertion; it has no forward of its own. @see torch.nn.ModuleDict */
export class ModuleDict<Out = any> extends Module<Out> {
  constructor(items: ModuleDictItems = []) {
    super();
    this.update(items);
  }

  /** @internal */
  override get hasItems(): boolean {
    return true;
  }

  /** The number of items. */
  get size(): number {
    return itemsOf(this.members()).size;
  }

  /** True where there is an item of this name. */
  has(name: string): boolean {
    return itemsOf(this.members()).has(name);
  }

  /** The item of this name. @throws {@link KeyError} where there is none */
  get(name: string): AnyModule | null {
    if (!this.has(name)) {
      const names = this.size > 0 ? listed(this.keys(), 24) : 'no items';
      throw new KeyError(`${this.constructor.name}: expected one of ${names}, got ${describe(name)}`);
    }
    return this.notes.registered.get(name) as Item;
  }

  /** Adds or replaces an item. @throws {@link KeyError} where the name is empty or has a dot */
  set(name: string, item: AnyModule | null): this {
    checkName(name);
    checkModule(item);
    this.notes.register(name, item);
    return this;
  }

  /** Removes an item and returns it. @throws {@link KeyError} where there is none */
  pop(name: string): AnyModule | null {
    const item = this.get(name);
    this.notes.unregister(name);
    return item;
  }

  /** Removes an item. @throws {@link KeyError} where there is none */
  delete(name: string): this {
    this.pop(name);
    return this;
  }

  /** Removes all items. */
  clear(): void {
    for (const name of [...this.keys()]) this.notes.unregister(name);
  }

  /**
   * Adds or replaces items, from another ModuleDict, a Map, entries or a plain object.
   *
   * @throws {@link ValueError} for a plain object with a name that is a whole number, since it doesn't keep the order
   *   of such names
   */
  update(items: ModuleDictItems): this {
    if (!hasEntries(items)) {
      throw new ValueError(`ModuleDict: expected a Map, entries or an object, got ${describe(items)}`);
    }
    const entries = entriesInOrder('ModuleDict', items instanceof ModuleDict ? items.items() : items);
    for (const [i, entry] of entries.entries()) {
      if (!isPair(entry)) {
        throw new ValueError(`ModuleDict: expected [name, module] at ${i}, got ${describe(entry)}`);
      }
      this.set(entry[0], entry[1]);
    }
    return this;
  }

  /** The names, in order. */
  keys(): IterableIterator<string> {
    return itemsOf(this.members()).keys();
  }

  /** The items, in order. */
  values(): IterableIterator<AnyModule | null> {
    return itemsOf(this.members()).values();
  }

  /** Names and items, in order. */
  items(): IterableIterator<[string, AnyModule | null]> {
    return itemsOf(this.members()).entries();
  }

  /** The names, as iterating a ModuleDict does in PyTorch. */
  [Symbol.iterator](): IterableIterator<string> {
    return this.keys();
  }

  forward(..._inputs: any[]): Out {
    throw missingForward(this.constructor.name);
  }
}
