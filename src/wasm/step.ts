/**
 * Steps: kernel calls as data. Such a step can be kept, posted to another thread, and turned into a call there. The
 * functions that make them are generated from assembly/, one for each kernel: see steps.gen.ts. A host step is a
 * function of this thread instead.
 */

import type { Kernels } from './kernels.gen.ts';

/** A kernel's name. */
export type KernelName = Exclude<keyof Kernels, 'memory'>;

/** A kernel call with all its arguments: data that any thread with the same memory can run. */
export interface KernelStep {
  readonly kernel: KernelName;
  /** In the order of the kernel's parameters. */
  readonly args: readonly number[];
}

/** What only the calling thread can run. It is the one step of its phase: the calling thread takes a phase's first. */
export interface HostStep {
  readonly host: () => void;
}

/** One piece of a plan's work. */
export type Step = KernelStep | HostStep;

/** Steps that don't depend on each other. Phases come in order: each finds what the ones before it wrote. */
export type Phase = readonly Step[];

/**
 * The thread that runs a phase's step: steps are dealt out in turn. Two steps may use the same scratch memory where one
 * thread runs both.
 */
export function threadOf(step: number, threads: number): number {
  return step % threads;
}

/**
 * A function that makes a kernel's steps from arguments by name.
 *
 * @param parameters the names of the kernel's parameters in their order, with a space between them
 */
export function stepBuilder<Args>(kernel: KernelName, parameters: string): (args: Args) => KernelStep {
  const names = parameters.split(' ') as (keyof Args)[];
  return (args) => ({ kernel, args: names.map((name) => args[name] as number) });
}

/** Runs a step at once, and returns what its kernel returns, if anything. */
export function runStep(kernels: Kernels, { kernel, args }: KernelStep): number | undefined {
  return (kernels[kernel] as (...args: readonly number[]) => number | undefined)(...args);
}

/** The steps of phases as calls without arguments, in order: running them computes nothing and allocates nothing. */
export function callsOf(kernels: Kernels, phases: readonly Phase[]): (() => void)[] {
  const bind = Function.prototype.bind;
  return phases.flat().map((step) => {
    return 'host' in step ? step.host : (bind.call(kernels[step.kernel], null, ...step.args) as () => void);
  });
}
