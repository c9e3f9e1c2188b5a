/** What torchvision computes for the truncated network, from the goldens of the unit tests. */

import { readFileSync } from 'node:fs';

const NAME = 'resnet18_layers_97x131';

/** The features `0` and `1` of that case, for {@link import('./probe.mjs').probe}. @param {any} layertap */
export function goldenOf({ readSafetensors }) {
  const cases = JSON.parse(readFileSync(new URL('../cases/models.json', import.meta.url), 'utf8'));
  const file = readSafetensors(readFileSync(new URL(`../goldens/models/${NAME}.safetensors`, import.meta.url)));
  const taps = JSON.parse(file.metadata.get('taps')).filter(({ name }) => name === '0' || name === '1');
  const features = taps.map(({ name, shape, largest }) => [
    name,
    { shape, largest, samples: [...file.get(name).data] },
  ]);
  return { input: cases.find(({ name }) => name === NAME).input, features: Object.fromEntries(features) };
}
