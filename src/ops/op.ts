/**
 * What an operator is: a shape rule, a reference in plain TypeScript that specifies it, and the binding to kernels. A module
 * imports the ops that it uses; nothing lists them.
 */

import type { Parameter } from '../tensor/parameter.ts';
import type { Shape } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Kernels } from '../wasm/kernels.gen.ts';

/** Batch norm's tensors, each of one element for each channel. */
export interface Norm {
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  readonly runningMean: Parameter;
  readonly runningVar: Parameter;
  readonly eps: number;
}

/** An activation that kernels apply: a clamp (ReLU is 0 to ∞, ReLU6 0 to 6) or one of PyTorch's curves by its name. */
export type Activation =
  | { readonly kind: 'clamp'; readonly min: number; readonly max: number }
  | { readonly kind: 'hardswish' | 'hardsigmoid' | 'sigmoid' | 'silu' };

/**
 * What a kernel does to its sums before storing: activation(sum·scale + shift + residual). The order is fixed, and each part rounds
 * as the op of its own would, so fusing never changes a bit.
 */
export interface Epilogue {
  readonly norm: Norm | null;
  /** True where the node's last input is added. */
  readonly residual: boolean;
  readonly activation: Activation | null;
}

/** An epilogue that does nothing. */
export const NO_EPILOGUE: Epilogue = { norm: null, residual: false, activation: null };

/** The parts of an epilogue, in the order in which kernels apply them. */
export const EPILOGUE_ORDER = ['norm', 'residual', 'activation'] as const;

/** One part of an {@link Epilogue}. */
export type EpiloguePart =
  | { readonly kind: 'norm'; readonly norm: Norm }
  | { readonly kind: 'residual' }
  | { readonly kind: 'activation'; readonly activation: Activation };

/** Where a value lies in WASM memory: channels-last, pixels `pixelBytes` apart, rows and images dense. */
export interface Slot {
  readonly address: number;
  /** PyTorch's shape: `[N, C, H, W]`, or `[N, C]` for N pixels. */
  readonly shape: Shape;
  readonly pixelBytes: number;
}

/** A tensor derived from parameters in the order that a kernel reads, written once into WASM memory. */
export interface Constant {
  /** With `form` the constant's identity: the same owner and form are packed once for all plans. */
  readonly owner: object;
  readonly form: string;
  readonly bytes: number;
  /**
   * The weight that it is packed from, and nothing else: once it is written, the weight's values may go. Constants without one are
   * made of vectors (biases, batch norm's), which stay: they are small, and taps decide how they are packed.
   */
  readonly weight?: Parameter;
  /** Bytes of scratch memory that writing takes; none where absent. */
  readonly scratchBytes?: number;
  /** @throws ValueError where the form has no room for a value */
  write(packer: Packer): void;
}

/** What a {@link Constant} writes with. */
export interface Packer {
  readonly kernels: Kernels;
  /** Where the constant goes. */
  readonly address: number;
  /** {@link Constant.scratchBytes}, to be used as it likes. */
  readonly scratch: number;
  /** A parameter's values in the dtype they came in: nothing else is read, since a run may want those of an earlier moment. */
  valuesOf(state: Parameter): Tensor;
  /** A weight's name, for errors. */
  nameOf(weight: Parameter): string;
}

/** Bytes that a node needs beside its values: a table that lives as long as the plan is bound, scratch for its step alone. */
export interface Workspace {
  readonly tableBytes: number;
  readonly scratchBytes: number;
  /** Zero bytes that the node reads as padding. */
  readonly zeroBytes: number;
}

/** What is known of the engine that will run a plan. No result depends on it. */
export interface Engine {
  /** Rows of a convolution's tile that the engine keeps in registers. */
  readonly tileRows: number;
  /** Threads that share a step's work. */
  readonly threads: number;
  /** True where taps are to have the same bits on every engine: then nothing else here is the engine's, and all NaNs come out as one. */
  readonly deterministic: boolean;
}

/** How the packed weights of convolutions and linear layers lie in memory; depthwise and Winograd's are always float32. */
export type WeightStorage = 'f32' | 'f16';

/** A kernel's name. */
export type KernelName = Exclude<keyof Kernels, 'memory'>;

/** A kernel call with all its arguments: data that any thread with the same memory can run. */
export interface Step {
  readonly kernel: KernelName;
  readonly args: readonly number[];
}

/** Steps that don't depend on each other. Phases come in order: each finds what the ones before it wrote. */
export type Phase = readonly Step[];

/** All addresses of one node, for {@link Algorithm.bind}. */
export interface Binding {
  readonly kernels: Kernels;
  readonly engine: Engine;
  readonly weightStorage: WeightStorage;
  /** The op's own inputs; a residual isn't among them. */
  readonly inputs: readonly Slot[];
  readonly output: Slot;
  /** Addresses of {@link Algorithm.constants}, in their order. */
  readonly constants: readonly number[];
  readonly residual: Slot | null;
  readonly epilogue: Epilogue;
  readonly table: number;
  readonly scratch: number;
  readonly zeros: number;
}

/** One application of an op, as an algorithm sees it: its shapes don't depend on what else is computed. */
export interface Site<A> {
  /** Shapes of the op's own inputs. */
  readonly inputs: readonly Shape[];
  readonly output: Shape;
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

/** A way to compute an op. */
export interface Algorithm<A> {
  /** For reports, and to ask for it. */
  readonly name: string;
  /** Whether it can be used here; always, where absent. */
  fits?(site: Site<A>): boolean;
  /** True where the output may lie where the residual does: each of its elements is read just before the output's is written. */
  readonly addsInPlace?: boolean;
  /** What it does here; nothing worth weighing, where absent. */
  work?(site: Site<A>): Work;
  /** What has to be packed. */
  constants?(site: Site<A>): readonly Constant[];
  /** What it needs beside its values. */
  workspace?(site: Site<A>): Workspace;
  /** The kernel calls that compute it on the bound addresses. What they read of tables is written at once. */
  bind(binding: Binding, attrs: A): readonly Phase[];
}

/** An operator. `A` are its attributes: plain data and parameters, fixed while tracing. */
export interface Op<A> {
  /** PyTorch's name in torch.nn.functional. */
  readonly name: string;
  /** The output's shape. Every check of shapes is here, with its message. */
  inferShape(inputs: readonly Shape[], attrs: A): Shape;
  /** The output, by plain loops: the specification of every kernel. Sums are in float64. */
  reference(inputs: readonly Tensor<Float32Array>[], attrs: A): Tensor<Float32Array>;
  /** Multiply-accumulates; none where absent. */
  macs?(inputs: readonly Shape[], output: Shape, attrs: A): number;
  /** The parts of an epilogue that the op's kernels can apply. */
  readonly takes?: readonly EpiloguePart['kind'][];
  /** The op as a part of the epilogue of the node before it. */
  joins?(attrs: A): EpiloguePart;
  /** True where the op does nothing but place its inputs side by side in its output's channels. */
  readonly concatenates?: boolean;
  /** The ways to compute it. A plan takes the cheapest of those that fit; one of them always does. */
  readonly algorithms: readonly Algorithm<A>[];
}

/** Channels of a slot's pixel. */
export function channelsOf(shape: Shape): number {
  return shape[1]!;
}

/** Pixels of all images: N·H·W, or N for `[N, C]`. */
export function pixelsOf(shape: Shape): number {
  return shape[0]! * (shape[2] ?? 1) * (shape[3] ?? 1);
}

/** Bytes from pixel to pixel in a slot of its own: whole vectors of four floats. */
export function pixelBytesOf(shape: Shape): number {
  return Math.ceil(channelsOf(shape) / 4) * 16;
}

/** A kernel call as data. */
export function stepOf<K extends KernelName>(kernel: K, ...args: Parameters<Kernels[K]>): Step {
  return { kernel, args };
}

/** The steps of phases as calls without arguments, in order: running them computes nothing and allocates nothing. */
export function callsOf(kernels: Kernels, phases: readonly Phase[]): (() => void)[] {
  const bind = Function.prototype.bind;
  return phases.flat().map(({ kernel, args }) => bind.call(kernels[kernel], null, ...args) as () => void);
}

/** A run of `count` things from `first` on. */
export interface Range {
  readonly first: number;
  readonly count: number;
}

/** The one rule for cutting work: as many ranges as threads, of which none is empty and no two differ by more than one. */
export function ranges(count: number, threads: number): Range[] {
  const parts = Math.min(count, threads);
  return Array.from({ length: parts }, (_, i) => {
    const first = Math.floor((count * i) / parts);
    return { first, count: Math.floor((count * (i + 1)) / parts) - first };
  });
}

/** Images, or rows of one image. */
export interface Band {
  /** The first image, and how many. */
  readonly image: number;
  readonly images: number;
  /** The first row of each, and how many. */
  readonly row: number;
  readonly rows: number;
}

/** Images of `height` rows cut for threads: whole images where there are enough, otherwise rows of each. */
export function bands(images: number, height: number, threads: number): Band[] {
  if (images >= threads) {
    return ranges(images, threads).map(({ first, count }) => ({ image: first, images: count, row: 0, rows: height }));
  }
  return Array.from({ length: images }, (_, image) =>
    ranges(height, threads).map(({ first, count }) => ({ image, images: 1, row: first, rows: count })),
  ).flat();
}

/** Channels cut for threads at whole vectors of four: the byte where each range begins in a pixel, and how many channels it has. */
export function channelRanges(
  channels: number,
  threads: number,
): { readonly offset: number; readonly count: number }[] {
  return ranges(Math.ceil(channels / 4), threads).map(({ first, count }) => ({
    offset: first * 16,
    count: Math.min(count * 4, channels - first * 4),
  }));
}
