/**
 * A forward with dilation in the place of strides: all convolutions beyond a stride read the pixels that they would
 * have read, and give those between besides. The model stays as it is, since its nodes are recorded once more.
 */

import { ShapeError, UnsupportedError } from '../errors.ts';
import type { Conv2dAttrs } from '../ops/conv2d/attrs.ts';
import { conv2d } from '../ops/conv2d/conv2d.ts';
import type { Rows } from '../ops/op.ts';
import { reshape } from '../ops/reshape.ts';
import type { Window } from '../ops/rules/window.ts';
import { numel, type Shape, sameShape } from '../tensor/shape.ts';
import { Graph, type Node, reductionsOf, type Value } from './graph.ts';

/** How a value's pixels lie. */
interface Grid {
  /** How many of the input's rows one row stands for: a part of one where rows and columns are one axis. */
  readonly reduction: number;
  /** The axis that has the rows. */
  readonly axis: number;
  /** How many rows there are for each one without dilation. */
  readonly dilation: number;
  /** Those of all values without dilation. */
  readonly known: ReadonlyMap<Value, Rows>;
}

/** Elements of a value; of an empty batch as of one image. */
const countOf = (shape: Shape) => numel(shape.map((size) => size || 1));

/** A part of what a module gets or returns with other values in the places of its values. */
function replaced(part: unknown, values: ReadonlyMap<unknown, Value>): any {
  if (part instanceof Map) return new Map([...part].map(([key, item]) => [key, replaced(item, values)]));
  return Array.isArray(part) ? part.map((item) => replaced(item, values)) : (values.get(part) ?? part);
}

/**
 * What records a forward so that no row stands for more than `outputStride` of the input's. Values have the pixels that
 * they have without dilation, and those between. Means and other statistics of all pixels are of more pixels.
 *
 * @returns a function that throws {@link UnsupportedError} where something else than a convolution has a stride there,
 *   or reads neighbours
 * @see timm's output_stride, and torchvision's replace_stride_with_dilation
 */
export function dilated(outputStride: number): (forward: (x: Value) => void, x: Value) => void {
  return (forward, x) => {
    const { graph } = x;
    const { watch } = graph;
    const strided = new Graph([x.shape]);
    const values = new Map<unknown, Value>([[strided.inputs[0], x]]);
    const dilations = new Map<unknown, number>([[strided.inputs[0], 1]]);
    // Without dilation.
    const reductions = new Map<Value, Rows>([[strided.inputs[0]!, [1, Math.max(2, x.shape.length - 2)]]]);
    let done = 0;
    const record = () => {
      for (; done < strided.nodes.length; done++) {
        const node = strided.nodes[done]!;
        const dilation = node.inputs.reduce((most, input) => Math.max(most, dilations.get(input)!), 1);
        reductionsOf({ inputs: [], nodes: [node], taps: [] }, reductions);
        const densest = node.inputs.filter((input) => dilations.get(input) === dilation);
        // Parameters have no rows.
        const [reduction, axis] = densest.map((input) => reductions.get(input)!).find(([of]) => of > 0) ?? [1, 2];
        const dense = node.inputs.map((input) => values.get(input)!);
        const grid = { reduction: reduction / dilation, axis, dilation, known: reductions };
        const { output, kept } = recorded(graph, node, dense, grid);
        values.set(node.output, output);
        dilations.set(node.output, kept);
      }
    };
    const current = (part: unknown) => {
      record();
      return replaced(part, values);
    };
    strided.watch = {
      isQuiet: watch?.isQuiet ?? false,
      enter: (module, inputs) => watch?.enter?.(module, current(inputs)),
      complete: (module, output) => void graph.complete(module, current(output)),
      exit: (module) => watch?.exit?.(module),
      apply: (name, output) => watch?.apply?.(name, current(output)),
    };
    forward(strided.inputs[0]!);
  };

  /** Records a node once more. `kept` is its output's dilation. */
  function recorded(
    graph: Graph,
    node: Node,
    dense: readonly Value[],
    grid: Grid,
  ): { readonly output: Value; readonly kept: number } {
    const { op, attrs } = node;
    try {
      if (op === conv2d) {
        const { attrs: changed, dilation: kept } = densified(attrs as Conv2dAttrs, dense[0]!, grid);
        const output = graph.record(conv2d, dense, changed, null);
        // Rows at the end that the stride left out would be read by what follows.
        const isEven = [2, 3].every((axis) => Math.ceil(output.shape[axis]! / kept) === node.output.shape[axis]);
        if (!isEven) {
          throw undilatable(`a convolution of ${changed.weight.shape.slice(2).join('x')} that leaves rows out`, grid);
        }
        return { output, kept };
      }
      checkPixels(node, dense, grid);
      const output = graph.record(op, dense, op === reshape ? reshaped(node, dense[0]!) : attrs, null);
      return { output, kept: keptDilation(node, dense, output, grid) };
    } catch (error) {
      // Sizes that forward gave are those without dilation.
      throw error instanceof ShapeError ? undilatable(op.name, grid) : error;
    }
  }

  /** A convolution's attributes where its input is denser or its stride is too much, and its output's dilation. */
  function densified(
    attrs: Conv2dAttrs,
    dense: Value,
    grid: Grid,
  ): { readonly attrs: Conv2dAttrs; readonly dilation: number } {
    const { padding, dilation, ...rest } = attrs;
    const { dilation: by, reduction } = grid;
    // Rows may be on the other axis, and columns are dilated as rows are.
    const stride = Math.max(rest.stride[0], rest.stride[1]);
    const isDropped = stride > 1 && Math.round(reduction * stride) > outputStride;
    if (!isDropped && by === 1) return { attrs, dilation: 1 };
    const [height, width] = rest.weight.shape.slice(2) as [number, number];
    let { top, left, bottom, right } = padding;
    [top, left, bottom, right] = [top * by, left * by, bottom * by, right * by];
    // A patch that has no padding gets some behind it, so that its first pixel stays the first, as that of branches.
    if (isDropped && height === stride && width === stride && !(top || left || bottom || right)) {
      bottom = by * (stride - 1);
      right = bottom;
    }
    const changed: Conv2dAttrs = {
      ...rest,
      stride: isDropped ? [1, 1] : rest.stride,
      padding: { top, left, bottom, right },
      dilation: [dilation[0] * by, dilation[1] * by],
    };
    const [, , outHeight, outWidth] = conv2d.inferShape([dense.shape], changed);
    const isKept = outHeight === dense.shape[2] && outWidth === dense.shape[3];
    if (!isKept || rest.stride[0] !== rest.stride[1]) {
      const kernel = rest.weight.shape.slice(2).join('x');
      throw undilatable(`a convolution of ${kernel}, stride ${rest.stride.join('x')}`, grid);
    }
    return { attrs: changed, dilation: isDropped ? by * stride : by };
  }

  /** A reshape's attributes: of images whose channels alone become other axes, or those that other axes were. */
  function reshaped({ attrs, inputs: [x], output }: Node, dense: Value): unknown {
    const [images, pixels] = [output.shape.slice(0, -2), output.shape.slice(-2)];
    return sameShape(pixels, x!.shape.slice(-2)) ? { shape: [...images, ...dense.shape.slice(-2)] } : attrs;
  }

  /** Refuses a stride that is no convolution's where it is too much, and what reads neighbours on a denser grid. */
  function checkPixels(node: Node, dense: readonly Value[], grid: Grid): void {
    const { op, attrs } = node;
    const [x] = node.inputs;
    if (!x) return;
    // Windows of a reshape leave nothing out: they come back, or their reduction tells.
    const [stride = 1] = op === reshape ? [] : (op.rows?.(attrs, grid.axis, x, node, grid.known) ?? []);
    const { kernelSize } = (attrs ?? {}) as Partial<Window>;
    const mixed = op.mixedAxes?.(attrs, x.shape) ?? (kernelSize ? [2, 3] : []);
    const isMixed = mixed.some((axis) => dense[0]!.shape[axis] !== x.shape[axis]);
    // A large window that is the whole image is no stride.
    const isOfAll = numel(node.output.shape.slice(2)) === 1 && numel(kernelSize ?? []) > 9;
    if (isMixed || (stride > 1 && !isOfAll && Math.round(grid.reduction * stride) > outputStride)) {
      throw undilatable(stride > 1 ? `${op.name} of stride ${stride}` : op.name, grid);
    }
  }

  /** An output's dilation: none where it has no more elements than without. */
  function keptDilation(node: Node, dense: readonly Value[], { shape }: Value, grid: Grid): number {
    if (grid.dilation === 1) return 1;
    const more = countOf(shape) / countOf(node.output.shape);
    // One row or column for all of another input is several where that is denser, each for a part of it.
    const isRepeated = ({ shape: own }: Value, i: number) =>
      own.some((size, axis) => {
        const repeated = node.output.shape.at(axis - own.length)!;
        return size === 1 && repeated > 1 && dense[i]!.shape[axis]! > 1;
      });
    if (dense.length > 1 && node.inputs.some(isRepeated)) throw undilatable(node.op.name, grid);
    // What pools to several pixels has no place for those between.
    if (more === 1 && (shape.length !== 4 || numel(shape.slice(2)) === 1)) return 1;
    const ratios = dense.map((input, i) => countOf(input.shape) / countOf(node.inputs[i]!.shape));
    if (ratios.includes(more)) return grid.dilation;
    throw undilatable(node.op.name, grid);
  }

  function undilatable(what: string, { reduction }: Grid): UnsupportedError {
    return new UnsupportedError(
      `featuresOnly: expected a model that outputStride ${outputStride} can dilate, whose convolutions keep their ` +
        `size without stride, got ${what} at reduction ${Number(reduction.toFixed(2))}`,
    );
  }
}
