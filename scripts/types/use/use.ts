// A user's lines, with the types that they count on.
import {
  add,
  BatchNorm2d,
  Conv2d,
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
