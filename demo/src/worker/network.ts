/** What a network is: its model, what goes with it, and its tree. */

import {
  type AnyModule,
  Graph,
  IMAGENET_MEAN,
  IMAGENET_STD,
  type Image,
  type Shape,
  type Tensor,
  Value,
} from 'layertap';
import type { Shapes, TreeNode } from '../protocol.ts';

/** A network without weights, and what goes with it. */
export interface Network {
  readonly id: string;
  readonly kind: 'classification' | 'segmentation';
  readonly model: AnyModule;
  /** The same network once more, without weights. */
  again(): Network;
  /** The layers that are shown first. */
  readonly layers: readonly string[];
  /** The side of the input that is proposed. */
  readonly size: number;
  /** The side that the weights are for. */
  readonly ownSize: number;
  /** The classes' names; null where they aren't known. */
  readonly classes: readonly string[] | null;
  readonly palette: readonly (readonly [number, number, number])[];
  /** By which the input is normalised. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** The network's input of an image. */
  prepare(image: Image, size: number): Tensor<Float32Array>;
}

/** The network that comes with the page. */
export const DIGITS = 'digits';

/** By which torchvision's weights have inputs normalised. */
export const IMAGENET = { mean: IMAGENET_MEAN, std: IMAGENET_STD };

/** The shape of a network's input of an image: a square crop, or the image with a shorter side of that size. */
export function inputShape({ kind }: Network, { width, height }: Image, size: number): Shape {
  if (kind === 'classification') return [1, 3, size, size];
  const shorter = Math.min(width, height);
  // As `resize` has it: the product first.
  const sideOf = (side: number) => Math.trunc((size * side) / shorter);
  return [1, 3, sideOf(height), sideOf(width)];
}

const trees = new WeakMap<AnyModule, TreeNode>();

/** The network's own tree, with the shape of each layer's output for a square input. */
export function treeOf(network: Network): TreeNode {
  const tree = trees.get(network.model) ?? newTreeOf(network);
  trees.set(network.model, tree);
  return tree;
}

/** The shape of each layer's output for an input. */
export function shapesOf({ model }: Network, input: Shape): Shapes {
  const shapeOf = traced(model, input);
  const shapes: Record<string, readonly number[]> = {};
  for (const [path, module] of model.namedModules()) {
    const shape = path === '' ? null : shapeOf(module);
    if (shape) shapes[path] = shape;
  }
  return shapes;
}

/** The shape of a layer's output; null where it has none that can be tapped. */
function traced(model: AnyModule, input: Shape): (module: AnyModule) => Shape | null {
  const graph = new Graph([input]);
  model.call(graph.inputs[0]!);
  return (module) => {
    const output = graph.outputOf(module);
    return output instanceof Value && output.shape.length > 1 ? output.shape : null;
  };
}

function newTreeOf({ model, size }: Network): TreeNode {
  const shapeOf = traced(model, [1, 3, size, size]);
  const nodeOf = (module: AnyModule, path: string, name: string): TreeNode => {
    const shape = path === '' ? null : shapeOf(module);
    const children = Array.from(module.namedChildren(), ([child, below]) =>
      nodeOf(below, path === '' ? child : `${path}.${child}`, child),
    );
    // Bundlers number classes of one name.
    return { path, name, type: module.constructor.name.replace(/\$\d+$/, ''), shape, children };
  };
  return nodeOf(model, '', '');
}
