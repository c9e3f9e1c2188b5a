// A ResNet-18 getter with safetensors loading: what the size is measured of, and what no other family may come with.
import { IntermediateLayerGetter, loadSafetensors, resnet18 } from 'layertap';

/** The features of a tensor. */
export function features(bytes, x) {
  const model = resnet18();
  model.loadStateDict(loadSafetensors(bytes));
  return new IntermediateLayerGetter(model, { layer4: 'out' }).forward(x);
}
