/** The stages of a network, told by its sizes: what detection and segmentation build on. */

import { type Graph, type Node, reductionsOf, Value } from '../graph/graph.ts';
import type { AnyModule } from '../nn/module.ts';
import { AdaptiveAvgPool2d, AdaptiveMaxPool2d } from '../nn/pooling.ts';
import { numel } from '../tensor/shape.ts';

/** The last layer before a network's size changes, or ends. */
export interface Stage {
  /** Its dotted path. */
  readonly layer: string;
  readonly channels: number;
  /** How many of the input's rows one of its stands for: 1, 2, 4, 8, 16, 32. */
  readonly reduction: number;
}

/** What a model says of its stages, where sizes don't tell it. timm's choice is meant. */
export interface StageHints {
  /** How many layers at the end of the trunk belong to the head: a convolution that widens for the classifier. */
  readonly headLayers?: number;
  /** The node that ends the last stage, where it is none of the layers. */
  readonly lastNode?: string;
}

/** torchvision's names for the child that holds the layers, where the model itself doesn't. */
const TRUNKS = ['features', 'trunk_output', 'layers', 'backbone'];

/**
 * Whether a node gives one pixel of the whole image, as at most one axis beside the batch's has several elements. A
 * small window is a stride's instead: of a small input, it may be the whole.
 */
function isPoolingOfAll({ op, attrs, output: { shape } }: Node): boolean {
  const { kernelSize } = (attrs ?? {}) as { readonly kernelSize?: readonly number[] };
  const isOfAll = kernelSize ? numel(kernelSize) > 9 : /^(mean$|adaptive_)/.test(op.name);
  return isOfAll && shape.slice(1).filter((size) => size > 1).length < 2;
}

/** Whether a layer pools to a size, as heads do. */
const isPool = (layer: AnyModule) => layer instanceof AdaptiveAvgPool2d || layer instanceof AdaptiveMaxPool2d;

/** The layers that are run one after the other, up to the end of the trunk or a child that pools to a size. */
function layersOf(model: AnyModule): (readonly [path: string, layer: AnyModule])[] {
  const layers: (readonly [string, AnyModule])[] = [];
  for (const [name, child] of model.namedChildren()) {
    if (TRUNKS.includes(name)) {
      for (const [inner, layer] of child.namedChildren()) {
        if (isPool(layer)) break;
        layers.push([`${name}.${inner}`, layer]);
      }
      break;
    }
    if (isPool(child)) break;
    layers.push([name, child]);
  }
  return layers;
}

/**
 * The last layer of `[N, C, H, W]` of each size before the whole image is pooled, from the largest size to the
 * smallest.
 *
 * @param graph what the model was traced into
 * @param without how many layers at the end don't count
 */
export function stagesOf(model: AnyModule, graph: Graph, without = 0): Stage[] {
  const reductions = reductionsOf(graph.program([]));
  // Values that no pixel has a part in but by a pooling of the whole image; parameters are among them.
  const pooled = new Set<Value>();
  for (const node of graph.nodes) {
    if (isPoolingOfAll(node) || node.inputs.every((input) => pooled.has(input))) pooled.add(node.output);
  }
  const stages = new Map<number, Stage>();
  const layers = layersOf(model);
  for (const [layer, module] of layers.slice(0, layers.length - without)) {
    const output = graph.outputOf(module);
    if (!(output instanceof Value) || output.shape.length !== 4 || pooled.has(output)) continue;
    const [exact, rows] = reductions.get(output)!;
    const reduction = Math.round(exact);
    // Channels come behind rows, or rows and columns are one axis.
    if (rows === 1 || reduction < 1) continue;
    // One pixel of a few rows alone was pooled by weights of all pixels, as attention does.
    if (numel(output.shape.slice(2)) === 1 && 2 * reduction < graph.inputs[0]!.shape[2]!) continue;
    stages.set(reduction, { layer, channels: output.shape[1]!, reduction });
  }
  return [...stages.values()];
}

/**
 * The stages that timm's `features_only` has of a family: those of {@link stagesOf}, without the head's layers and with
 * the node that ends the last one.
 */
export function timmStagesOf(model: AnyModule, graph: Graph): Stage[] {
  const { headLayers = 0, lastNode }: StageHints = (model as { readonly stageHints?: StageHints }).stageHints ?? {};
  const stages = stagesOf(model, graph, headLayers);
  return stages.map((stage, i) => (lastNode && i === stages.length - 1 ? { ...stage, layer: lastNode } : stage));
}
