/**
 * The weights of a compiled model in its memory, each written once in the order of its kernel:
 *
 *     memory  ┌ free ┬ held: weights whose values are gone ┬ droppable: all others ┬ room of the bound plan ┐
 *             0      64                                                            end
 *
 * What is held stays as long as the model does. What is droppable may be dropped, and packed again from the parameters'
 * values.
 */

import { MemoryError } from '../errors.ts';
import type { Constant } from '../ops/lowering/constant.ts';
import type { Parameter } from '../tensor/parameter.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { inPages, MAX_PAGES, PAGE_BYTES } from '../wasm/instantiate.ts';
import type { Kernels } from '../wasm/kernels.gen.ts';
import { aligned } from './arena.ts';
import { distinct, FIRST_ADDRESS, type Plan } from './plan.ts';
import type { ValuesOf } from './runs.ts';

/** Takes weights as they arrive, and keeps them packed as long as the model lives: their values may go. */
export interface Holding {
  /**
   * Bytes to read a weight's values into until it is held. They lie where runs will be, or in JavaScript's memory where
   * that is too small.
   */
  placeFor(weight: Parameter, byteLength: number): Uint8Array;
  /** Writes a weight as the plans need it. */
  hold(weight: Parameter, values: Tensor): void;
}

/** Where constants of each owner lie, by their forms. */
type Addresses = Map<object, Map<string, number>>;

/** Packed weights, and the size of the memory that they lie in. */
export class WeightMemory {
  readonly #kernels: Kernels;
  readonly #nameOf: (weight: Parameter) => string;
  readonly #held: Addresses = new Map();
  #heldEnd = FIRST_ADDRESS;
  readonly #droppable: Addresses = new Map();
  #end = FIRST_ADDRESS;

  /** @param nameOf a weight's name, for errors */
  constructor(kernels: Kernels, nameOf: (weight: Parameter) => string) {
    this.#kernels = kernels;
    this.#nameOf = nameOf;
  }

  /** The address after the last constant. */
  get end(): number {
    return this.#end;
  }

  /** Bytes of all constants. */
  get constantBytes(): number {
    return this.#end - FIRST_ADDRESS;
  }

  /** Bytes of the memory. */
  get memoryBytes(): number {
    return this.#kernels.memory.buffer.byteLength;
  }

  /** Where a constant lies; undefined where it isn't written. */
  addressOf({ owner, form }: Constant): number | undefined {
    return this.#held.get(owner)?.get(form) ?? this.#droppable.get(owner)?.get(form);
  }

  /** True where a weight was packed as it arrived. */
  holds(weight: Parameter): boolean {
    return this.#held.has(weight);
  }

  /**
   * The constants of a plan that can't be packed any more: the weight's values are gone, and the weight is held in
   * other forms only.
   */
  lost(plan: Plan): readonly Constant[] {
    return plan.constants.filter(({ weight, owner, form }) => {
      return weight && !weight.hasValues && !this.#held.get(owner)?.has(form);
    });
  }

  /**
   * Writes the constants that a plan needs and that aren't there, and makes room for its run above them.
   *
   * @param valuesOf the values of weights that have to be packed
   * @throws {@link MemoryError} where the host doesn't give the memory
   */
  provide(plan: Plan, valuesOf: ValuesOf): void {
    this.#growFor(plan);
    for (const constant of plan.constants) {
      if (this.addressOf(constant) === undefined) this.#pack(this.#droppable, constant, valuesOf);
    }
  }

  /**
   * Makes room for plans together, whose weights are about to come, before any run.
   *
   * @throws {@link MemoryError} where that takes more than the budget, or than the host gives
   */
  reserve(plans: readonly Plan[], memoryBudgetBytes: number): Holding {
    const all = distinct(plans.flatMap(({ constants }) => constants));
    const held = bytesOf(all.filter(({ weight }) => weight));
    // Vectors are packed by each plan's first run, and dropped with it: they count as that plan's room.
    const room = plans.reduce((most, { constants, roomBytes }) => {
      return Math.max(most, bytesOf(distinct(constants).filter(({ weight }) => !weight)) + roomBytes);
    }, 0);
    const needed = inPages(FIRST_ADDRESS + held + room);
    if (needed > memoryBudgetBytes) {
      throw new MemoryError(
        `layertap: expected plans within ${memoryBudgetBytes} bytes of WebAssembly memory, got ${needed} for ` +
          `${plans.length} input shapes together, whose weights are packed in several ways; load for fewer of them`,
      );
    }
    this.#grow(needed);
    const ofWeight = new Map<Parameter, Constant[]>();
    for (const constant of all) {
      if (constant.weight) ofWeight.set(constant.weight, [...(ofWeight.get(constant.weight) ?? []), constant]);
    }
    let spare = new Uint8Array(0);
    return {
      placeFor: (weight, byteLength) => {
        const own = ofWeight.get(weight) ?? [];
        // The constants are packed while the values lie there. So the values begin behind these and their scratch.
        const scratch = this.#end + bytesOf(own);
        const address = scratch + aligned(own.reduce((most, { scratchBytes = 0 }) => Math.max(most, scratchBytes), 0));
        if (address + byteLength <= this.memoryBytes) {
          return new Uint8Array(this.#kernels.memory.buffer, address, byteLength);
        }
        if (spare.length < byteLength) spare = new Uint8Array(byteLength);
        return spare.subarray(0, byteLength);
      },
      hold: (weight, values) => {
        for (const constant of ofWeight.get(weight) ?? []) this.#pack(this.#held, constant, () => values);
        this.#heldEnd = this.#end;
      },
    };
  }

  /**
   * Grows the memory once, for all that the plan will need. Constants that only other plans need are dropped where the
   * memory would have to grow for them: another input shape may take other algorithms, whose weights are packed
   * otherwise. So the memory never exceeds what the most demanding plan needs by itself.
   */
  #growFor(plan: Plan): void {
    let all = 0;
    let missing = 0;
    for (const constant of distinct(plan.constants)) {
      const bytes = aligned(constant.bytes);
      if (this.#held.get(constant.owner)?.has(constant.form)) continue;
      all += bytes;
      if (this.addressOf(constant) === undefined) missing += bytes;
    }
    const end = this.#end + missing + plan.roomBytes;
    const needed = this.#heldEnd + all + plan.roomBytes;
    // More is packed than this plan needs: the rest is other plans'.
    const hasOthers = end > needed;
    if (hasOthers && end > this.memoryBytes) {
      this.#droppable.clear();
      this.#end = this.#heldEnd;
    }
    this.#grow(Math.min(end, needed));
  }

  #pack(into: Addresses, constant: Constant, valuesOf: ValuesOf): void {
    const { owner, form, bytes, scratchBytes = 0 } = constant;
    const address = this.#end;
    const scratch = address + aligned(bytes);
    this.#grow(scratch + scratchBytes);
    constant.write({ kernels: this.#kernels, address, scratch, valuesOf, nameOf: this.#nameOf });
    this.#end = scratch;
    into.set(owner, (into.get(owner) ?? new Map<string, number>()).set(form, address));
  }

  #grow(bytes: number): void {
    const { memory } = this.#kernels;
    const pages = Math.ceil((bytes - memory.buffer.byteLength) / PAGE_BYTES);
    if (pages <= 0) return;
    try {
      if (bytes > MAX_PAGES * PAGE_BYTES) throw new RangeError('a WebAssembly memory holds 4 GiB');
      memory.grow(pages);
    } catch (cause) {
      throw new MemoryError(
        `layertap: expected ${bytes} bytes of WebAssembly memory for weights and activations, ` +
          `got ${memory.buffer.byteLength} (${(cause as Error).message}); ` +
          "use weightStorage: 'f16', a smaller input or fewer layers",
        { cause },
      );
    }
  }
}

function bytesOf(constants: readonly Constant[]): number {
  return constants.reduce((sum, { bytes }) => sum + aligned(bytes), 0);
}
