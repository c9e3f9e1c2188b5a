// A user's lines, with the types that they count on.
import {
  add,
  BatchNorm2d,
  type ChildName,
  Conv2d,
  createFeatureExtractor,
  type FeatureName,
  IntermediateLayerGetter,
  imageClassification,
  imageFromRgba,
  LayertapError,
  loadSafetensors,
  Module,
  models,
  relu,
  resnet50,
  setModule,
  type Tensor,
  type Value,
} from 'layertap';
import { fromHub } from 'layertap/hub';
import { createModel } from 'layertap/models';
import { getModelWeights, pretrained, ResNet50_Weights, type Weights } from 'layertap/weights';

class Residual extends Module {
  readonly conv: Conv2d;
  readonly bn: BatchNorm2d;

  constructor(channels: number) {
    super();
    this.conv = new Conv2d(channels, channels, 3, { padding: 1, bias: false });
    this.bn = new BatchNorm2d(channels);
  }

  forward(x: Value): Value {
    return relu(add(this.bn.call(this.conv.call(x)), x));
  }
}

export function features(bytes: Uint8Array, pixels: Uint8ClampedArray, kernels: WebAssembly.Module): Float32Array {
  setModule(kernels);
  const backbone = resnet50({ numClasses: 10 });
  backbone.loadStateDict(loadSafetensors(bytes));
  const getter = new IntermediateLayerGetter(backbone, { layer2: 'c3', 'layer4.0': 5 });
  const x = imageClassification(imageFromRgba(pixels, 640, 480));
  const found: Map<FeatureName, Tensor<Float32Array>> = getter.forward(x, { only: ['c3'] });
  const y: Tensor<Float32Array> = new Residual(8).compile({ deterministic: true }).call(x);
  // @ts-expect-error an option that isn't there
  models.resnet18({ numClass: 3 });
  // @ts-expect-error a kernel without a size
  new Conv2d(3, 8);
  const c3 = found.get('c3');
  if (!c3) throw new LayertapError('ERR', 'no c3');
  return c3.numel() > y.numel() ? c3.data : y.data;
}

/** Features' names are inferred from what was asked for. */
export function inferred(x: Tensor, layers: Map<string, string>): void {
  const getter = new IntermediateLayerGetter(resnet50(), { layer3: 'c4', layer4: 'c5' });
  const features: Map<'c4' | 'c5', Tensor<Float32Array>> = getter.forward(x);
  features.get('c5');
  // @ts-expect-error no feature was asked for by this name
  features.get('c6');
  // @ts-expect-error c4 is left out
  getter.forward(x, { only: ['c5'] }).get('c4');
  // @ts-expect-error no feature was asked for by this name
  getter.forward(x, { only: ['c6'] });
  // @ts-expect-error no feature has this name
  getter.call(x).get('c6');
  new IntermediateLayerGetter(resnet50(), layers).forward(x).get('any');
  const entries = new IntermediateLayerGetter(resnet50(), [['layer2', 8]]);
  // @ts-expect-error the name is a number
  entries.forward(x).get('8');

  // TypeScript infers no union of strings and numbers from entries of both.
  const mixed = new IntermediateLayerGetter(resnet50(), [
    ['layer4', 'out'],
    ['layer3', 1],
  ]);
  const both: Map<FeatureName, Tensor<Float32Array>> = mixed.forward(x, { only: ['out', 1] });
  const told = new IntermediateLayerGetter<'out' | 1>(resnet50(), [...layers].length > 0 ? [['layer3', 1]] : []);
  // @ts-expect-error no feature was asked for by this name
  told.forward(x).get(2);
  // @ts-expect-error a name that isn't one of these
  new IntermediateLayerGetter<'out' | 1>(resnet50(), [['layer3', 'aux']]);
  // @ts-expect-error no name
  new IntermediateLayerGetter(resnet50(), [['layer3', true]]);
  const extracted = createFeatureExtractor(resnet50(), {
    returnNodes: [
      ['layer4', both.size > 1 ? 'out' : 'only'],
      ['layer3', 1],
    ],
  });
  extracted.forward(x).get('only');
  // @ts-expect-error no feature was asked for by this name
  extracted.forward(x).get(2);

  // What editors complete.
  const children: ChildName<ReturnType<typeof resnet50>>[] = ['layer1', 'fc'];
  // @ts-expect-error ResNet has no such child
  children.push('layer9');

  const list = createFeatureExtractor(resnet50(), { returnNodes: ['layer1.0.add', 'fc'] });
  list.forward(x).get('layer1.0.add');
  // @ts-expect-error no node was asked for by this name
  list.forward(x).get('layer1.0.add_1');
  const named = createFeatureExtractor(resnet50(), { returnNodes: { fc: 'logits', 'layer1.0': 1 } });
  const logits: Tensor<Float32Array> | undefined = named.forward(x, { only: ['logits'] }).get('logits');
  // @ts-expect-error this is a node, not its feature
  named.forward(x).get('fc');
  const two: Map<1, Tensor<Float32Array>> = named.forward(x, x, { only: [1] });
  named.forward(x, x).get(two.size > 0 ? 1 : 'logits');
  named.featureInfo([1, 3, 8, 8], [1, 5]);
  // @ts-expect-error no feature was asked for by this name
  named.forward(x, x).get('fc');
  // @ts-expect-error an option that isn't there
  named.forward(x, x, { onlyy: [1] });
  const nodes = createFeatureExtractor(resnet50(), { returnNodes: layers })
    .forward(x)
    .get(logits ? 'a' : 'b');
  const backbone: Module<Map<FeatureName, Value>> = getter;
  backbone.call(nodes!);
}

/** Models by name. */
export function named(name: string): Module {
  const known: ReturnType<typeof resnet50> = createModel('resnet50', { numClasses: 10 });
  // @ts-expect-error a model that isn't there
  createModel('resnet51');
  // @ts-expect-error an option that isn't there
  createModel('efficientnet_b0', { numClass: 5 });
  return known.training ? known : createModel(name, { numClasses: 10 });
}

/** Weights by name, and models with them. */
export async function weighted(name: string): Promise<number | undefined> {
  const best: Weights = ResNet50_Weights.IMAGENET1K_V2;
  // @ts-expect-error weights that aren't there
  ResNet50_Weights.IMAGENET1K_V3;
  const getter = await pretrained('resnet50', { weights: best, returnLayers: { layer4: 'out' } });
  const x: Tensor = best.transforms()(imageFromRgba(new Uint8Array(4), 1, 1));
  getter.forward(x).get('out');
  // @ts-expect-error no feature was asked for by this name
  getter.forward(x).get('c5');
  const mixed: [string, string | number][] = [['layer4', 'out']];
  (await pretrained('resnet50', { returnLayers: mixed })).forward(x).get(1);
  const both = await pretrained('resnet50', {
    returnLayers: [
      ['layer4', 'out'],
      ['layer3', 1],
    ],
  });
  both.forward(x).get(1);
  // @ts-expect-error a model that isn't there
  await pretrained('resnet51');
  // @ts-expect-error an option that isn't there
  await pretrained('resnet50', { modelOptions: { numClass: 5 } });
  const whole: ReturnType<typeof resnet50> = await pretrained('resnet50');
  whole.eval();
  return getModelWeights(name).DEFAULT.meta.metrics['ImageNet-1K']?.['acc@1'];
}

/** Models of the hub. */
export async function ofHub(x: Tensor): Promise<void> {
  const one = await fromHub('timm/resnet18.a1_in1k', { returnLayers: { layer4: 'out' } });
  one.getter.forward(x).get('out');
  // @ts-expect-error no feature was asked for by this name
  one.getter.forward(x).get('c5');
  const both = await fromHub('timm/resnet18.a1_in1k', {
    returnLayers: [
      ['layer4', 'out'],
      ['layer3', 1],
    ],
  });
  both.getter.forward(x).get(1);
  const whole = await fromHub('timm/resnet18.a1_in1k');
  whole.model.eval();
}
