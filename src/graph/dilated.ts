/**
 * A forward with dilation in the place of strides: all convolutions beyond a stride read the pixels that they would
 * have read, and give those between besides. The model stays as it is, since its nodes are recorded once more.
 */

import { UnsupportedError } from '../errors.ts';
import type { Conv2dAttrs } from '../ops/conv2d/attrs.ts';
import { conv2d } from '../ops/conv2d/conv2d.ts';
import { numel } from '../tensor/shape.ts';
import { Graph, type Node, type Value } from './graph.ts';

/** How a value's pixels lie. */
interface Grid {
  /** How many of the input's rows one row stands for. */
  readonly reduction: number;
  /** How many rows there are for each one without dilation. */
  readonly dilation: number;
}

/** A part of what a module gets or returns with other values in the places of its values. */
function replaced(part: unknown, values: ReadonlyMap<unknown, Value>): any {
  if (part instanceof Map) return new Map([...part].map(([key, item]) => [key, replaced(item, values)]));
  return Array.isArray(part) ? part.map((item) => replaced(item, values)) : (values.get(part) ?? part);
}

/**
 * What records a forward so that no row stands for more than `outputStride` of the input's.
 *
 * @returns a function that throws {@link UnsupportedError} where something else than a convolution has a stride there
 * @see timm's output_stride, and torchvision's replace_stride_with_dilation
 */
export function dilated(outputStride: number): (forward: (x: Value) => void, x: Value) => void {
  return (forward, x) => {
    const { graph } = x;
    const { watch } = graph;
    const strided = new Graph([x.shape]);
    const values = new Map<unknown, Value>([[strided.inputs[0], x]]);
    const grids = new Map<unknown, Grid>([[strided.inputs[0], { reduction: 1, dilation: 1 }]]);
    let done = 0;
    const record = () => {
      for (; done < strided.nodes.length; done++) {
        const node = strided.nodes[done]!;
        const inputs = node.inputs.map((input) => values.get(input)!);
        const { attrs, grid } = densified(node, inputs, grids, outputStride);
        const output = graph.record(node.op, inputs, attrs, null);
        values.set(node.output, output);
        grids.set(node.output, keptGrid(node, inputs, output, grid));
      }
    };
    const current = (part: unknown) => {
      record();
      return replaced(part, values);
    };
    strided.watch = {
      isQuiet: watch?.isQuiet ?? false,
      enter: (module, inputs) => watch?.enter?.(module, current(inputs)),
      complete: (module, output) => graph.complete(module, current(output)),
      exit: (module) => watch?.exit?.(module),
      apply: (name, output) => watch?.apply?.(name, current(output)),
    };
    forward(strided.inputs[0]!);
  };

  /** A node's attributes where its input is denser or its stride is too much, and how its output lies. */
  function densified(
    { op, attrs, inputs }: Node,
    dense: readonly Value[],
    grids: ReadonlyMap<unknown, Grid>,
    most: number,
  ): { readonly attrs: unknown; readonly grid: Grid } {
    const all = inputs.map((input) => grids.get(input)!);
    const grid = all.find(({ dilation }) => dilation > 1) ?? all[0] ?? { reduction: 1, dilation: 1 };
    const stride = op.reduction?.(attrs);
    if (stride === undefined) return { attrs, grid };
    const isDropped = stride > 1 && grid.reduction * stride > most;
    if (!isDropped && grid.dilation === 1) return { attrs, grid: { ...grid, reduction: grid.reduction * stride } };
    if (op !== conv2d) throw undilatable(`${op.name} of stride ${stride}`, grid.reduction);
    const { padding, dilation, ...rest } = attrs as Conv2dAttrs;
    const by = grid.dilation;
    const [height, width] = rest.weight.shape.slice(2) as [number, number];
    let { top, left, bottom, right } = padding;
    [top, left, bottom, right] = [top * by, left * by, bottom * by, right * by];
    // A patch that has no padding gets some, the larger half after it, as timm's does.
    if (isDropped && height === stride && width === stride && !(top || left || bottom || right)) {
      const total = by * (stride - 1);
      [top, left] = [Math.floor(total / 2), Math.floor(total / 2)];
      [bottom, right] = [total - top, total - left];
    }
    const changed: Conv2dAttrs = {
      ...rest,
      stride: isDropped ? [1, 1] : rest.stride,
      padding: { top, left, bottom, right },
      dilation: [dilation[0] * by, dilation[1] * by],
    };
    const [, , outHeight, outWidth] = conv2d.inferShape([dense[0]!.shape], changed);
    const isKept = outHeight === dense[0]!.shape[2] && outWidth === dense[0]!.shape[3];
    if (!isKept || rest.stride[0] !== rest.stride[1]) {
      throw undilatable(`a convolution of ${height}x${width}, stride ${rest.stride.join('x')}`, grid.reduction);
    }
    return { attrs: changed, grid: { ...grid, dilation: isDropped ? by * stride : by } };
  }

  /** How an output lies: as without dilation where it has no more elements than there. */
  function keptGrid(node: Node, dense: readonly Value[], output: Value, grid: Grid): Grid {
    if (grid.dilation === 1 || node.op === conv2d) return grid;
    const more = numel(output.shape) / numel(node.output.shape);
    if (more === 1) return { ...grid, dilation: 1 };
    const ratios = dense.map((input, i) => numel(input.shape) / numel(node.inputs[i]!.shape));
    if (ratios.includes(more) || node.op.concatenates) return grid;
    throw undilatable(node.op.name, grid.reduction);
  }

  function undilatable(what: string, reduction: number): UnsupportedError {
    return new UnsupportedError(
      `featuresOnly: expected a model that outputStride ${outputStride} can dilate, whose convolutions keep their ` +
        `size without stride, got ${what} at reduction ${reduction}`,
    );
  }
}
