/**
 * Algorithms: ways to compute an op by kernels. An algorithm is prepared once for a site, an application of the op with
 * its shapes. What it prepares says what it costs and needs, and gives the kernel calls once addresses are known.
 */

import type { Shape } from '../../tensor/shape.ts';
import type { Kernels } from '../../wasm/kernels.gen.ts';
import type { Phase } from '../../wasm/step.ts';
import type { Epilogue } from '../rules/epilogue.ts';
import type { Constant } from './constant.ts';
import type { Slot } from './slot.ts';

/** What is known of the engine that will run a plan. No number in a result depends on it; which NaN a tap has does. */
export interface Engine {
  /** Rows of a convolution's tile that the engine keeps in registers. */
  readonly tileRows: number;
  /** Threads that share a step's work. */
  readonly threads: number;
  /**
   * True where taps are to have the same bits on every engine. Then `tileRows` has a fixed value, and every NaN is
   * written as 0x7fc00000.
   */
  readonly deterministic: boolean;
}

/**
 * How the packed weights of convolutions and linear layers lie in memory; depthwise and Winograd's are always float32.
 */
export type WeightStorage = 'f32' | 'f16';

/** An application of an op, with its shapes. All but `epilogue` is the same whatever the taps are. */
export interface Site<A> {
  /** Shapes of the op's own inputs as kernels see them (`rules/axes.ts`). A residual isn't among them. */
  readonly inputs: readonly Shape[];
  readonly output: Shape;
  /** The inputs' shapes as PyTorch has them. */
  readonly shapes: readonly Shape[];
  readonly attrs: A;
  readonly epilogue: Epilogue;
  readonly engine: Engine;
  readonly weightStorage: WeightStorage;
}

/** What an algorithm does, for the cost model. */
export interface Work {
  /** Multiply-accumulates in a register tile. */
  readonly macs: number;
  /** Floats that pass through a transform on their way in or out. */
  readonly transformed: number;
}

/** Bytes that a node needs beside its values. */
export interface Workspace {
  /** A table that lives as long as the plan is bound. */
  readonly tableBytes: number;
  /** Scratch memory for the node's steps alone. */
  readonly scratchBytes: number;
  /** Zero bytes that the node reads as padding. */
  readonly zeroBytes: number;
}

/** Where one node's values and {@link Workspace} lie: slots, and addresses. */
export interface Binding {
  readonly kernels: Kernels;
  /** The op's own inputs; a residual isn't among them. */
  readonly inputs: readonly Slot[];
  readonly output: Slot;
  /** What the epilogue adds; null for nothing. */
  readonly residual: Slot | null;
  /** {@link Workspace.tableBytes}, which are the node's own as long as the plan is bound. */
  readonly table: number;
  /** {@link Workspace.scratchBytes}, which other nodes overwrite; 0 where there are none. */
  readonly scratch: number;
  /** {@link Workspace.zeroBytes}, which nobody may write. */
  readonly zeros: number;
  /** {@link EPILOGUE_BYTES} for the record that tells kernels of an epilogue. */
  readonly record: number;
  /** The address of one of {@link Prepared.constants}; 0 for null, which stands for none. */
  addressOf(constant: Constant | null): number;
}

/** An algorithm that is ready for one site. */
export interface Prepared {
  /** What it does; nothing worth weighing, where absent. */
  readonly work?: Work;
  /** What has to be packed. */
  readonly constants?: readonly (Constant | null)[];
  /** What it needs beside its values; nothing, where absent. */
  readonly workspace?: Workspace;
  /** Phases that compute the site at the bound addresses. The tables that they read are written at once. */
  phases(binding: Binding): readonly Phase[];
}

/** A way to compute an op. */
export interface Algorithm<A> {
  /** For reports, and to ask for it. */
  readonly name: string;
  /**
   * True where the output may lie where the residual does: each of its elements is read just before the output's is
   * written.
   */
  readonly addsInPlace?: boolean;
  /** What the algorithm does at a site; null where it can't be used there. */
  prepare(site: Site<A>): Prepared | null;
}
