/**
 * How a module knows its members and their changes. JavaScript lists names like '0' first, whenever they were assigned,
 * and tells nobody of an assignment; so a module is a Proxy whose traps take notes. Reading isn't trapped.
 */

import { describe, ValueError } from '../errors.ts';
import { isIndex } from '../options.ts';
import { changes, Parameter } from '../tensor/parameter.ts';

/** What a module registers: a child, a parameter or buffer; null in the place of a child that was taken away. */
export type Member = Registered | Parameter | null;

/** The members of one module, and the traps that note them. */
export class Members implements ProxyHandler<object> {
  /** By name, in the order in which they were first assigned. */
  readonly registered = new Map<string, Member>();
  /** Attributes that may change without a note, by name: arrays and the like. */
  readonly contents = new Map<PropertyKey, object>();
  /** Counts the changes that are noted. */
  version = 0;
  #hasAccessors = false;

  /** Notes a change. */
  changed(): void {
    this.version++;
    changes.count++;
  }

  /** Adds or replaces a member that isn't a property. */
  register(name: string, member: Member): void {
    this.registered.set(name, member);
    this.changed();
  }

  /** Takes a member away that isn't a property. */
  unregister(name: string): void {
    this.registered.delete(name);
    this.changed();
  }

  set(target: Record<PropertyKey, unknown>, name: PropertyKey, value: unknown, receiver: unknown): boolean {
    // An accessor's setter runs on the module, since private fields are the Proxy's; it may keep the value where nobody
    // sees it.
    if (this.#hasAccessors || (name in target && !Object.hasOwn(target, name))) {
      this.changed();
      return Reflect.set(target, name, value, receiver);
    }
    this.#note(target, name, value, target[name]);
    target[name] = value;
    return true;
  }

  defineProperty(target: object, name: PropertyKey, descriptor: PropertyDescriptor): boolean {
    if (descriptor.get || descriptor.set) this.#hasAccessors = true;
    if ('value' in descriptor) this.#note(target, name, descriptor.value, ownValue(target, name));
    return Reflect.defineProperty(target, name, descriptor);
  }

  deleteProperty(target: object, name: PropertyKey): boolean {
    checkIndex(target, name, 'delete', 'a deletion');
    if (this.#isProperty(target, name)) this.registered.delete(name as string);
    this.contents.delete(name);
    this.changed();
    return Reflect.deleteProperty(target, name);
  }

  #note(target: object, name: PropertyKey, value: unknown, before: unknown): void {
    if (Object.is(before, value) && before !== undefined) return;
    checkIndex(target, name, 'set', 'an assignment');
    this.changed();
    if (typeof name !== 'string') return;
    if (value instanceof Registered || value instanceof Parameter) {
      this.registered.set(name, value);
      this.contents.delete(name);
      return;
    }
    if (this.#isProperty(target, name)) {
      if (value !== null && value !== undefined) {
        const kind = before instanceof Parameter ? 'parameter' : 'child module';
        const expected = before instanceof Parameter ? 'Parameter' : 'Module';
        throw new ValueError(`cannot assign ${describe(value)} as ${kind} '${name}' (${expected} or null expected)`);
      }
      if (value === null && before instanceof Registered) this.registered.set(name, null);
      else this.registered.delete(name);
    }
    if (isContent(value)) this.contents.set(name, value as object);
    else this.contents.delete(name);
  }

  /** True where the member of that name is a property, not an item of a container. */
  #isProperty(target: object, name: PropertyKey): boolean {
    const member = this.registered.get(name as string);
    return member !== undefined && ownValue(target, name) === member;
  }
}

/** @throws {@link ValueError} for a number as a property of a container, whose items aren't properties */
function checkIndex(target: object, name: PropertyKey, method: 'set' | 'delete', got: string): void {
  if (!isIndex(name) || !(target as { readonly hasItems?: boolean }).hasItems) return;
  const call = method === 'set' ? 'set(…, module)' : 'delete(…)';
  throw new ValueError(
    `${target.constructor.name}: expected ${call} for an item, got ${got} of the property ${String(name)}`,
  );
}

/** The value of a module's own property; undefined where there is none, or an accessor. */
function ownValue(target: object, name: PropertyKey): unknown {
  return Object.getOwnPropertyDescriptor(target, name)?.value;
}

/** The root of all modules' classes: what it constructs is a Proxy with the members as its traps. */
export class Registered {
  constructor(members: Members) {
    // biome-ignore lint/correctness/noConstructorReturn: private fields of subclasses are the Proxy's by this alone
    return new Proxy(this, members);
  }
}

/** True for what is compared by what it holds. */
function isContent(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value) || ArrayBuffer.isView(value) || value instanceof Map || value instanceof Set) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/**
 * Whether `holds` is true of all that an array, a Map or the like holds, and of what these hold in turn. The order is
 * the same as long as the contents are. Each array, Map or object is looked into once, however many others hold it.
 */
export function everyPart(whole: object, holds: (part: unknown) => boolean): boolean {
  const wholes = new Set([whole]);
  for (const one of wholes) {
    const parts = partsOf(one);
    if (!holds(parts.length)) return false;
    for (let i = 0; i < parts.length; i++) {
      if (!holds(parts[i])) return false;
      if (isContent(parts[i])) wholes.add(parts[i] as object);
    }
  }
  return true;
}

/** The items of an array or Set; keys and values, one after the other, of a Map or another object. */
function partsOf(whole: object): ArrayLike<unknown> {
  if (Array.isArray(whole) || ArrayBuffer.isView(whole)) return whole as ArrayLike<unknown>;
  if (whole instanceof Set) return [...whole];
  return (whole instanceof Map ? [...whole] : Object.entries(whole)).flat();
}
