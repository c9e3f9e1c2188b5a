/**
 * A plan: a program whose values have places, and whose nodes have algorithms. The constructor decides once what fuses,
 * which algorithm computes a node, and what lies where. Binding makes kernel calls with addresses of that, when the
 * plan becomes the one that owns the memory.
 */

import { macsOf, type Node, type Program, parametersOf, type Value, viewOf } from '../graph/graph.ts';
import { fuseEpilogues } from '../graph/passes/fuse-epilogues.ts';
import { prune } from '../graph/passes/prune.ts';
import type { Algorithm, Engine, Site, WeightStorage, Workspace } from '../ops/lowering/algorithm.ts';
import type { Constant } from '../ops/lowering/constant.ts';
import { pieces } from '../ops/lowering/cut.ts';
import { fromPlanes, toPlanes } from '../ops/lowering/planes.ts';
import { imagePixels, pixelBytesOf, type Slot } from '../ops/lowering/slot.ts';
import type { Parameter } from '../tensor/parameter.ts';
import { numel, type Shape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { inPages } from '../wasm/instantiate.ts';
import { EPILOGUE_BYTES, type Kernels } from '../wasm/kernels.gen.ts';
import { callsOf, type Phase } from '../wasm/step.ts';
import { aligned } from './arena.ts';
import { chooseAlgorithm, timeOf } from './cost.ts';
import { type Layout, layoutOf, TAP_PLANES, tapPixels } from './layout.ts';

/** Bytes after a plan's block that kernels may read, never write: 28 by f32_conv2d, in whole cache lines. */
const OVERREAD_BYTES = 64;

/** Addresses below are left free, so that 0 stands for none. */
export const FIRST_ADDRESS = 64;

/** The least work between two turns of the event loop, in milliseconds: a frame of a screen of 60 Hz. */
export const STRETCH_MS = 16;

/** What a plan's algorithms depend on beside the program. */
export interface PlanOptions {
  /** f32 unless given. */
  readonly weightStorage?: WeightStorage;
  /** What a byte costs in milliseconds: see chooseAlgorithm. */
  readonly bytePrice?: number;
}

/** One node of a plan, as reports show it. The kernel calls that compute it are steps of their own. */
export interface StepReport {
  /** The op's name, as PyTorch's. */
  readonly op: string;
  readonly algorithm: string;
  /** The output's shape. */
  readonly shape: Shape;
  /** Multiply-accumulates of the op, whatever the algorithm needs. */
  readonly macs: number;
  /** Bytes of the node's packed weights and vectors. */
  readonly weightBytes: number;
}

/** An input as planes, and the calls that move it to its slot. */
interface InputPlanes {
  readonly value: Value;
  readonly address: number;
  readonly copies: readonly (() => void)[];
}

/** Some pixels of a tap on their way out: a call that makes planes of them, and where these belong in the tensor. */
interface TapPiece {
  readonly copy: () => void;
  readonly channels: number;
  readonly pixels: number;
  /** Where the first channel begins in the tensor, and floats from channel to channel. */
  readonly at: number;
  readonly stride: number;
}

/** The memory that a plan is bound to, and where in it the plan's block is. */
export interface Place {
  readonly kernels: Kernels;
  /** The address of the plan's block of {@link Plan.blockBytes}. */
  readonly base: number;
  /** The address of a packed constant. */
  addressOf(constant: Constant): number;
}

/** A program for one input shape and one set of taps, ready to run. */
export class Plan {
  /** The program that runs: pruned and fused, its nodes in the order in which they run. */
  readonly program: Program;
  /** Bytes of the plan's block: zeros, records, tables, the arena and what is read beyond. Constants aren't counted. */
  readonly blockBytes: number;
  /** Bytes of the arena, a part of {@link blockBytes}. */
  readonly arenaBytes: number;
  /** All parameters that it reads. */
  readonly parameters: readonly Parameter[];
  /** The constants of all nodes. */
  readonly constants: readonly Constant[];
  readonly #layout: Layout;
  /** Where in the block the records and, behind them, the tables begin, and where the arena begins. */
  readonly #recordStart: number;
  readonly #arenaStart: number;
  readonly #zeroBytes: number;
  /** The owners of the planes that inputs come in as. */
  readonly #inputPlanes: readonly object[];
  #calls: readonly (() => void)[] = [];
  #phases: readonly Phase[] = [];
  /** For each node, how many phases and calls there are up to its last. */
  #ends: readonly { readonly phases: number; readonly calls: number }[] = [];
  #inputs: readonly InputPlanes[] = [];
  #taps: ReadonlyMap<Value, readonly TapPiece[]> = new Map();
  /** The address of taps' planes. */
  #tapPlanes = 0;

  readonly #engine: Engine;
  readonly #weightStorage: WeightStorage;
  /** Estimated milliseconds of each node, once they were asked for. */
  #times: readonly number[] | null = null;

  constructor(program: Program, engine: Engine, { weightStorage = 'f32', bytePrice }: PlanOptions = {}) {
    this.#engine = engine;
    this.#weightStorage = weightStorage;
    const fused = fusedOf(program);
    this.#inputPlanes = fused.inputs.map(() => ({}));
    // Records come first, then tables.
    let used = aligned(fused.nodes.length * EPILOGUE_BYTES);
    let zeroBytes = 0;
    const placed = fused.nodes.map((node, i) => {
      const site = siteOf(node, engine, weightStorage);
      const { algorithm, prepared } = chooseAlgorithm(algorithmsOf(node), site, bytePrice);
      const constants = (prepared.constants ?? []).filter((constant) => constant !== null);
      const workspace = prepared.workspace ?? NO_WORKSPACE;
      const table = used;
      used += aligned(workspace.tableBytes);
      zeroBytes = Math.max(zeroBytes, workspace.zeroBytes);
      return { node, algorithm, prepared, constants, workspace, record: i * EPILOGUE_BYTES, table };
    });
    this.#zeroBytes = zeroBytes;
    this.#recordStart = aligned(zeroBytes);
    this.#arenaStart = this.#recordStart + used;
    this.#layout = layoutOf(fused, placed, this.#inputPlanes);
    this.program = { ...fused, nodes: this.#layout.placed.map(({ node }) => node) };
    this.parameters = parametersOf(this.program);
    this.constants = this.#layout.placed.flatMap(({ constants }) => constants);
    this.arenaBytes = this.#layout.bytes;
    this.blockBytes = this.#arenaStart + this.arenaBytes + OVERREAD_BYTES;
  }

  /** What each node computes and how, in order of execution. */
  get steps(): readonly StepReport[] {
    return this.#layout.placed.map(({ node, algorithm, constants }) => ({
      op: node.op.name,
      algorithm: algorithm.name,
      shape: node.output.shape,
      macs: macsOf(node),
      weightBytes: constants.reduce((sum, { bytes }) => sum + bytes, 0),
    }));
  }

  /**
   * How many nodes are computed when a run that has computed `nodes` next leaves a turn to the event loop. The nodes
   * between are estimated to take at least `leastMs` on all threads, or are all that are left. The estimate is the cost
   * model's. So stretches don't depend on a clock.
   */
  stopAfter(nodes: number, leastMs = STRETCH_MS): number {
    this.#times ??= this.#layout.placed.map(({ node, algorithm }) => {
      return timeOf(algorithm, siteOf(node, this.#engine, this.#weightStorage)) / this.#engine.threads;
    });
    const { length } = this.#times;
    for (let stop = nodes, ms = 0; stop < length; stop++) {
      ms += this.#times[stop]!;
      if (ms >= leastMs) return stop + 1;
    }
    return length;
  }

  /** Bytes of all constants, each once. */
  get constantBytes(): number {
    return distinct(this.constants).reduce((sum, { bytes }) => sum + aligned(bytes), 0);
  }

  /** Bytes above the constants: the plan's block, or what packing a constant takes before that where it is more. */
  get roomBytes(): number {
    return this.constants.reduce((most, { scratchBytes = 0 }) => Math.max(most, scratchBytes), this.blockBytes);
  }

  /** Bytes of the memory that runs this plan and no other: whole pages. */
  get memoryBytes(): number {
    return inPages(FIRST_ADDRESS + this.constantBytes + this.roomBytes);
  }

  /** Gives every step its addresses and writes the tables. */
  bind({ kernels, base, addressOf }: Place): void {
    new Uint8Array(kernels.memory.buffer, base, this.#zeroBytes).fill(0);
    const address = (owner: object) => base + this.#arenaStart + this.#layout.offsets.get(owner)!;
    const slot = (value: Value): Slot => {
      const placement = this.#layout.placements.get(value);
      const { inside, channel } = placement ?? { inside: value, channel: 0 };
      const pixelBytes = pixelBytesOf(inside.stored);
      return { address: address(inside) + channel * 4, shape: value.stored, pixelBytes };
    };
    const { inputs, taps } = this.program;

    this.#inputs = inputs.map((value, i) => {
      const planes = address(this.#inputPlanes[i]!);
      return { value, address: planes, copies: callsOf(kernels, [fromPlanes(planes, slot(value))]) };
    });
    this.#tapPlanes = address(TAP_PLANES);
    this.#taps = new Map(
      taps.map((value) => [value, tapPieces(kernels, slot(value), tapPixels(value), this.#tapPlanes)]),
    );
    const phases: Phase[] = [];
    let calls = 0;
    const ends: { phases: number; calls: number }[] = [];
    for (const { node, prepared, workspace, record, table } of this.#layout.placed) {
      const own = prepared.phases({
        kernels,
        inputs: ownInputs(node).map(slot),
        output: slot(node.output),
        residual: node.epilogue.residual ? slot(node.inputs.at(-1)!) : null,
        record: base + this.#recordStart + record,
        table: base + this.#recordStart + table,
        scratch: workspace.scratchBytes > 0 ? address(node) : 0,
        zeros: base,
        addressOf: (constant) => (constant ? addressOf(constant) : 0),
      });
      for (const phase of own) phases.push(phase);
      calls += own.flat().length;
      ends.push({ phases: phases.length, calls });
    }
    this.#phases = phases;
    this.#calls = callsOf(kernels, phases);
    this.#ends = ends;
  }

  /** Copies the inputs in. The plan has to be bound for this, and for all methods below. */
  write(kernels: Kernels, inputs: readonly Tensor<Float32Array>[]): void {
    for (const [i, { value, address, copies }] of this.#inputs.entries()) {
      new Float32Array(kernels.memory.buffer, address, numel(value.shape)).set(inputs[i]!.data);
      for (const copy of copies) copy();
    }
  }

  /** Computes the nodes from `first` to before `last`. */
  compute(first = 0, last = this.#ends.length): void {
    const from = first === 0 ? 0 : this.#ends[first - 1]!.calls;
    const to = last === 0 ? 0 : this.#ends[last - 1]!.calls;
    for (let i = from; i < to; i++) this.#calls[i]!();
  }

  /** The steps of all nodes; another array each time that the plan is bound. */
  get phases(): readonly Phase[] {
    return this.#phases;
  }

  /** How many phases the first `nodes` nodes have. */
  phasesUntil(nodes: number): number {
    return nodes === 0 ? 0 : this.#ends[nodes - 1]!.phases;
  }

  /** The taps' tensors, in the order of `program.taps`. */
  read(kernels: Kernels): Tensor<Float32Array>[] {
    const { buffer } = kernels.memory;
    const tensors = new Map<Value, Tensor<Float32Array>>();
    for (const [value, parts] of this.#taps) {
      const values = new Float32Array(numel(value.shape));
      for (const { copy, channels, pixels, at, stride } of parts) {
        copy();
        const planes = new Float32Array(buffer, this.#tapPlanes, channels * pixels);
        // The piece is whole images.
        if (pixels === stride) values.set(planes, at);
        else
          for (let c = 0; c < channels; c++) values.set(planes.subarray(c * pixels, (c + 1) * pixels), at + c * stride);
      }
      tensors.set(value, new Tensor(this.#engine.deterministic ? withOneNaN(values) : values, value.shape));
    }
    return this.program.taps.map((tap) => tensors.get(tap)!);
  }
}

/** The values with every NaN as 0x7fc00000: which NaN an operation gives is the engine's choice. */
function withOneNaN(values: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  const words = new Uint32Array(values.buffer);
  for (let i = 0; i < values.length; i++) if (Number.isNaN(values[i])) words[i] = 0x7fc00000;
  return values;
}

/** Each constant once: several nodes may share a weight. */
export function distinct(constants: readonly Constant[]): readonly Constant[] {
  const forms = new Map<object, Map<string, Constant>>();
  for (const constant of constants) {
    const known = forms.get(constant.owner);
    if (known) known.set(constant.form, constant);
    else forms.set(constant.owner, new Map([[constant.form, constant]]));
  }
  return [...forms.values()].flatMap((known) => [...known.values()]);
}

/** A node as its algorithms see it. */
function siteOf(node: Node, engine: Engine, weightStorage: WeightStorage): Site<unknown> {
  const { attrs, epilogue, output } = node;
  const own = ownInputs(node);
  const inputs = own.map(({ stored }) => stored);
  const shapes = own.map(({ shape }) => shape);
  return { inputs, output: output.stored, shapes, attrs, epilogue, engine, weightStorage };
}

/** The program's nodes as the choice of algorithms sees them. */
export function sitesOf(
  program: Program,
  engine: Engine,
  weightStorage: WeightStorage,
): { readonly algorithms: readonly Algorithm<unknown>[]; readonly site: Site<unknown> }[] {
  return fusedOf(program).nodes.map((node) => ({
    algorithms: algorithmsOf(node),
    site: siteOf(node, engine, weightStorage),
  }));
}

/** What {@link fusedOf} gave. */
const fused = new WeakMap<Program, Program>();

/** The program as plans run it: pruned and fused. Its sizes are asked for before its plan is made. */
export function fusedOf(program: Program): Program {
  const one = fused.get(program) ?? fuseEpilogues(prune(program));
  fused.set(program, one);
  return one;
}

/** What a view takes: nothing. */
const VIEW: readonly Algorithm<unknown>[] = [{ name: 'view', prepare: () => ({ phases: () => [] }) }];

/** The ways to compute a node. */
function algorithmsOf(node: Node): readonly Algorithm<unknown>[] {
  return viewOf(node) === null ? node.op.algorithms : VIEW;
}

const NO_WORKSPACE: Workspace = { tableBytes: 0, scratchBytes: 0, zeroBytes: 0 };

/** A node's inputs without its epilogue's residual. */
export function ownInputs({ inputs, epilogue }: Node): readonly Value[] {
  return epilogue.residual ? inputs.slice(0, -1) : inputs;
}

/** A tap in pieces of at most `most` pixels. Each is copied to `planes`, one after the other, and read from there. */
function tapPieces(kernels: Kernels, { address, shape, pixelBytes }: Slot, most: number, planes: number): TapPiece[] {
  const [images, channels] = shape as [number, number];
  const size = imagePixels(shape);
  const copyOf = (first: number, part: Shape) => {
    const from = { address: address + first * pixelBytes, pixelBytes, shape: part };
    return callsOf(kernels, [toPlanes(from, planes)])[0]!;
  };
  // Images of one pixel have their channels side by side in the tensor too, so many of them go together.
  if (size === 1) {
    return pieces(images, most).map(({ first, count }) => {
      const copy = copyOf(first, [count, channels]);
      return { copy, channels, pixels: count, at: first * channels, stride: count };
    });
  }
  return Array.from({ length: images }, (_, image) =>
    pieces(size, most).map(({ first, count }) => {
      const copy = copyOf(image * size + first, [1, channels, count, 1]);
      return { copy, channels, pixels: count, at: image * channels * size + first, stride: size };
    }),
  ).flat();
}
