/**
 * Steps: kernel calls as data. A step can be kept, posted to another thread, and turned into a call there. The
 * functions that make steps are generated from assembly/, one for each kernel: see steps.gen.ts.
 */

import type { Kernels } from './kernels.gen.ts';

/** A kernel's name. */
export type KernelName = Exclude<keyof Kernels, 'memory'>;

/** A kernel call with all its arguments: data that any thread with the same memory can run. */
export interface Step {
  readonly kernel: KernelName;
  /** In the order of the kernel's parameters. */
  readonly args: readonly number[];
}

/** Steps that don't depend on each other. Phases come in order: each finds what the ones before it wrote. */
export type Phase = readonly Step[];

/**
 * A function that makes a kernel's steps from arguments by name.
 *
 * @param parameters the names of the kernel's parameters in their order, with a space between them
 */
export function stepBuilder<Args>(kernel: KernelName, parameters: string): (args: Args) => Step {
  const names = parameters.split(' ') as (keyof Args)[];
  return (args) => ({ kernel, args: names.map((name) => args[name] as number) });
}

/** Runs a step at once, and returns what its kernel returns, if anything. */
export function runStep(kernels: Kernels, { kernel, args }: Step): number | undefined {
  return (kernels[kernel] as (...args: readonly number[]) => number | undefined)(...args);
}

/** The steps of phases as calls without arguments, in order: running them computes nothing and allocates nothing. */
export function callsOf(kernels: Kernels, phases: readonly Phase[]): (() => void)[] {
  const bind = Function.prototype.bind;
  return phases.flat().map(({ kernel, args }) => bind.call(kernels[kernel], null, ...args) as () => void);
}
