/** Files as timm writes them: names.json of the goldens says how it calls the layers of torchvision's models. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { saveSafetensors } from '../../src/formats/safetensors-write.ts';
import type { AnyModule } from '../../src/nn/module.ts';
import { Tensor, zeros } from '../../src/tensor/tensor.ts';
import { generatedParameter } from './generator.ts';

/** One of timm's architectures, and its names in the order of torchvision's layers. */
export interface TimmNames {
  readonly architecture: string;
  readonly model: string;
  /** SHA-256 of torchvision's names, a line each. */
  readonly torchvision: string;
  readonly timm: string;
}

/** All that are named otherwise than torchvision's. */
export const timmNames = JSON.parse(
  readFileSync(new URL('../goldens/hub/names.json', import.meta.url), 'utf8'),
) as readonly TimmNames[];

const PARTS = new Set(['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked']);

/** A key's layer; the key itself where it isn't a layer's, as a scale of each channel. */
export function layerOf(key: string): string {
  const at = key.lastIndexOf('.');
  return PARTS.has(key.slice(at + 1)) ? key.slice(0, at) : key;
}

/** timm's names of a model's keys, in order. */
export function timmKeys(model: AnyModule, names: TimmNames): [timm: string, own: string][] {
  const layers = [...new Set([...model.stateShapes().keys()].map(layerOf))];
  if (createHash('sha256').update(layers.join('\n')).digest('hex') !== names.torchvision) {
    throw new Error(`${names.architecture}: the golden is of other layers`);
  }
  const timm = names.timm.split(' ');
  const timmOf = new Map(layers.map((layer, i) => [layer, timm[i]!]));
  return [...model.stateShapes().keys()].map((key) => {
    const layer = layerOf(key);
    return [timmOf.get(layer)! + key.slice(layer.length), key];
  });
}

/** timm's shape of a tensor of torchvision's. */
function timmShape(key: string, shape: readonly number[]): readonly number[] {
  if (key === 'pre_logits.fc1.weight') return [shape[0]!, 512, 7, 7];
  if (key === 'pre_logits.fc2.weight' || (key === 'conv_head.weight' && shape.length === 2)) return [...shape, 1, 1];
  return key.endsWith('.gamma') ? [shape[0]!] : shape;
}

/**
 * The model's generated parameters as timm would write them.
 *
 * @param names null for architectures that aren't named otherwise
 * @param generated the keys whose values matter, all unless given; the others are zeros
 */
export function timmFile(
  model: AnyModule,
  names: TimmNames | null,
  generated: ReadonlyMap<string, unknown> = model.stateShapes(),
): Uint8Array {
  const shapes = model.stateShapes();
  const keys = names ? timmKeys(model, names) : [...shapes.keys()].map((key) => [key, key] as const);
  return saveSafetensors(
    keys
      .filter(([, own]) => !own.endsWith('num_batches_tracked'))
      .map(([timm, own]) => {
        const { data } = generated.has(own) ? generatedParameter(own, shapes.get(own)!) : zeros(shapes.get(own)!);
        return [timm, new Tensor(data, timmShape(timm, shapes.get(own)!))] as const;
      }),
  );
}

/** A config as timm writes it now. */
export function timmConfig(architecture: string, cfg: object = {}, top: object = {}): object {
  return {
    architecture,
    num_classes: 1000,
    num_features: 512,
    ...top,
    pretrained_cfg: {
      tag: 'a1_in1k',
      custom_load: false,
      input_size: [3, 224, 224],
      fixed_input_size: false,
      interpolation: 'bicubic',
      crop_pct: 0.95,
      crop_mode: 'center',
      mean: [0.485, 0.456, 0.406],
      std: [0.229, 0.224, 0.225],
      num_classes: 1000,
      pool_size: [7, 7],
      first_conv: 'conv1',
      classifier: 'fc',
      license: 'apache-2.0',
      ...cfg,
    },
  };
}
