/**
 * What an op is: a shape rule, and the algorithms that compute it by kernels. A reference in plain TypeScript
 * specifies it. A module imports the ops that it uses; nothing lists them.
 */

import type { Parameter } from '../tensor/parameter.ts';
import type { Shape } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Algorithm } from './lowering/algorithm.ts';
import type { RelayAttrs } from './lowering/relay.ts';
import type { Laid, View } from './rules/axes.ts';
import type { EPILOGUE_ORDER, EpiloguePart } from './rules/epilogue.ts';

/** A mathematical operation. `A` are its attributes: plain data and parameters, fixed while tracing. */
export interface Op<A> {
  /** PyTorch's name in torch.nn.functional. */
  readonly name: string;
  /** The output's shape. Every check of shapes is here, with its message. */
  inferShape(inputs: readonly Shape[], attrs: A): Shape;
  /**
   * The axis of the inputs whose elements have to lie side by side: that of the first input, the last, or one that
   * depends on the attributes; axis 1 where absent. The output's is the same. With 'each', every input may have an axis
   * of its own, and the output has the usual one.
   */
  readonly axis?: 'any' | 'last' | 'each' | ((attrs: A) => number);
  /** How the output lies, where it may be the input seen otherwise. Such an op takes any axis. */
  view?(x: Laid, output: Shape, attrs: A): View;
  /** What lays a value out along another axis. An op after which there may be another than 1 brings it along. */
  readonly relay?: Op<RelayAttrs>;
  /** The op's reference, where it is what computes the op, too. */
  readonly reference?: Reference<A>;
  /** The parameters that it reads; none where absent. */
  parameters?(attrs: A): readonly (Parameter | null)[];
  /**
   * How many rows of an input one row of the output stands for, and the axis of the output that has the rows. Where
   * absent, the former is their ratio, which a stride isn't: padding comes to it. The latter is the input's.
   *
   * @param axis the input's axis that has the rows; the one behind all others where no axis has them alone
   * @param x one of the inputs
   * @param known how many of the network's rows one row of each value so far stands for, and where they are
   * @returns 0 where the rows of x aren't the output's
   */
  readonly rows?: RowsRule<A> | undefined;
  /**
   * The axes along which an element of the output is of others than its own, or of a place that sizes decide; those of
   * the window, for an op whose attributes are one. None where it is of all elements along the axis, as a mean.
   */
  mixedAxes?(attrs: A, x: Shape): readonly number[];
  /** Multiply-accumulates; none where absent. */
  macs?(inputs: readonly Shape[], output: Shape, attrs: A): number;
  /** The parts of an epilogue that the op's kernels can apply. */
  readonly acceptsInEpilogue?: readonly (typeof EPILOGUE_ORDER)[number][];
  /** The op as a part of the epilogue of the node before it. */
  asEpiloguePart?(attrs: A): EpiloguePart;
  /** True where the op does nothing but place its inputs side by side in its output's channels. */
  readonly concatenates?: boolean;
  /** The ways to compute it. A plan takes the cheapest of those that fit; one of them always does. */
  readonly algorithms: readonly Algorithm<A>[];
}

/**
 * How many of the network's rows one row of a value stands for, and the axis that has the rows. Where images or
 * channels are parts of that axis before the rows, `unit` is how many of its elements each of them has, and `rows` how
 * many rows; otherwise `unit` is 0. The axis is Infinity where a mean or a layer has mixed such an axis.
 */
export type Rows = readonly [reduction: number, axis: number, unit?: number, rows?: number | undefined];

/** What {@link Op.rows} is. */
export type RowsRule<A> = (
  attrs: A,
  axis: number,
  x: Laid,
  node: { readonly inputs: readonly Laid[]; readonly output: Laid },
  known: ReadonlyMap<Laid, Rows>,
) => readonly [by?: number | undefined, to?: number, unit?: number, rows?: number];

/**
 * An op's output by plain loops: the specification of every kernel. Sums are in float64. No part of the op, so that
 * only who imports `interpret` ships references: graph/references.ts lists them.
 */
export type Reference<A> = (inputs: readonly Tensor<Float32Array>[], attrs: A) => Tensor<Float32Array>;
