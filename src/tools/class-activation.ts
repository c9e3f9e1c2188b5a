/**
 * Class activation maps: where in a picture a class is seen, for networks that end in global average pooling and one
 * linear layer. Needs no gradients.
 */

import { describe, ShapeError, UnsupportedError, ValueError } from '../errors.ts';
import { NodeNames } from '../features/node-names.ts';
import { Graph, type Node, type Value } from '../graph/graph.ts';
import type { AnyModule } from '../nn/module.ts';
import { adaptiveAvgPool2d } from '../ops/adaptive-avg-pool2d.ts';
import { linear } from '../ops/linear.ts';
import { throughPlanes } from '../ops/lowering/relay.ts';
import { mean } from '../ops/mean.ts';
import { checkInputShape, formatShape, type Shape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { floatsOf } from './tensors.ts';

/** What class activation maps are made of. */
export interface CamLayers {
  /** The module, or the node, whose output is pooled: `layer4` of a ResNet. */
  readonly feature: string;
  /** The state-dict key of the last linear layer's weight: `fc.weight`. */
  readonly weight: string;
}

/**
 * The layer whose feature a network pools before its last linear layer, and that layer's weight. Nothing is computed.
 *
 *     const { feature, weight } = camLayers(model, [1, 3, 224, 224]);
 *     const extractor = createFeatureExtractor(model, { returnNodes: { [feature]: 'map' } });
 *     const maps = classActivationMaps(extractor.forward(x).get('map'), model.stateDict().get(weight), [classIndex]);
 *
 * @param inputShape `[N, C, H, W]`
 * @throws {@link UnsupportedError} for a network that doesn't end so: VGG has three linear layers, and SqueezeNet's
 *   last convolution gives a map for each class already
 * @throws {@link ShapeError} where the input doesn't fit
 * @see B. Zhou et al., Learning deep features for discriminative localization, arXiv:1512.04150
 */
export function camLayers(model: AnyModule, inputShape: Shape): CamLayers {
  checkInputShape('camLayers', inputShape);
  const graph = new Graph([inputShape]);
  const names = new NodeNames(model, graph.inputs, { isQuiet: true });
  graph.watch = names;
  const output = model.call(graph.inputs[0]);
  const nodes = new Map(graph.nodes.map((node) => [node.output, node]));
  const last = nodes.get(output);
  const pooled = last?.op === linear ? pooling(last.inputs[0]!, nodes) : null;
  const weight = (last?.attrs as { weight?: unknown } | null)?.weight;
  const key = [...model.namedParameters()].find(([, parameter]) => parameter === weight)?.[0];
  const value = pooled?.inputs[0];
  const all = [...names.modules.values(), ...names.nodes];
  const feature = all.filter((node) => node.output === value).sort((a, b) => a.name.length - b.name.length)[0];
  if (!feature || key === undefined) {
    const expected = 'a network with global average pooling before its last and only linear layer';
    throw new UnsupportedError(`camLayers: expected ${expected}, got ${model.constructor.name}`);
  }
  return { feature: feature.name, weight: key };
}

/** The pooling to one pixel that gives a value, with nothing after it but other sizes for the same elements. */
function pooling(value: Value, nodes: ReadonlyMap<Value, Node>): Node | null {
  for (let node = nodes.get(value); node; node = nodes.get(node.inputs[0]!)) {
    const isPooling = node.op === adaptiveAvgPool2d || node.op === mean;
    const isOfPixels = node.output.shape.length === 4 && node.output.shape[2] === 1 && node.output.shape[3] === 1;
    if (isPooling) return isOfPixels && node.output.shape[1] === node.inputs[0]!.shape[1] ? node : null;
    if (node.op.algorithms !== throughPlanes) return null;
  }
  return null;
}

/**
 * A map for each class, `[N, K, H, W]`: at each pixel the sum over channels of feature times the class's weight. The
 * mean of a class's map is its score less the bias. Sums are in float64.
 *
 *     const [[map]] = unstack(maps).map((one) => unstack(one)); // [H, W]: the first image's first class
 *     overlay(image, heatmap(map, { width: image.width, height: image.height, colormap: jet }));
 *
 * @param feature `[N, C, H, W]`: what is pooled
 * @param weight `[classes, C]`: the linear layer's
 * @param classes K of them
 * @throws {@link ShapeError} where the shapes don't fit
 * @throws {@link ValueError} for a class that there isn't
 */
export function classActivationMaps(feature: Tensor, weight: Tensor, classes: readonly number[]): Tensor<Float32Array> {
  const name = 'classActivationMaps';
  const [x, w] = [floatsOf(name, feature), floatsOf(name, weight)];
  const [images, channels, height, width] = x.shape as [number, number, number, number];
  if (x.shape.length !== 4 || w.shape.length !== 2 || w.shape[1] !== channels) {
    const got = `${formatShape(x.shape)} and ${formatShape(w.shape)}`;
    throw new ShapeError(`${name}: expected a feature [N, C, H, W] and a weight [classes, C], got ${got}`);
  }
  if (!Array.isArray(classes) || ![...classes].every((k) => Number.isInteger(k) && k >= 0 && k < w.shape[0]!)) {
    const expected = `an array of classes from 0 to ${w.shape[0]! - 1}`;
    throw new ValueError(`${name}: expected ${expected}, got ${describe(classes)}`);
  }
  const plane = height * width;
  const out = new Float32Array(images * classes.length * plane);
  const sums = new Float64Array(plane);
  for (let n = 0, to = 0; n < images; n++) {
    for (const k of classes) {
      sums.fill(0);
      for (let c = 0, at = n * channels * plane; c < channels; c++) {
        const factor = w.data[k * channels + c]!;
        for (let i = 0; i < plane; i++) sums[i]! += factor * x.data[at++]!;
      }
      out.set(sums, to);
      to += plane;
    }
  }
  return new Tensor(out, [images, classes.length, height, width]);
}
