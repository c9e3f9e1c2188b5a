/**
 * What a user ships, and how much of it there may be: `npm run size [-- --json]`. JavaScript minified, with the
 * binaries that the bundle has or imports, all by gzip -9.
 */

import { readdirSync, readFileSync } from 'node:fs';

const dist = new URL('../../dist/', import.meta.url).pathname;

/** As applications are bundled: modules, and the binaries beside them. */
const modifyEsbuildConfig = (config) => ({ ...config, format: 'esm', loader: { '.wasm': 'copy' } });

const shipment = (name, names, entry, limit) => ({
  name: `${name}, ${entry}`,
  path: dist + entry,
  import: names,
  limit,
  gzip: true,
  modifyEsbuildConfig,
});

const getter = (entry, limit) =>
  shipment('ResNet-18 getter', '{ IntermediateLayerGetter, loadSafetensors, resnet18 }', entry, limit);

const models = new URL('../../src/models/', import.meta.url);

/** The files of src/models that have builders, and these: the exported functions in lower case. */
const families = readdirSync(models).flatMap((file) => {
  const source = readFileSync(new URL(file, models), 'utf8');
  const builders = [...source.matchAll(/^export function ([a-z0-9_]+)\(/gm)].map(([, name]) => name);
  return builders.length > 0 ? [{ family: file.replace('.ts', ''), builders }] : [];
});

/** A getter with all builders of one family. */
const familyGetter = ({ family, builders }) => {
  const names = `{ ${['IntermediateLayerGetter', 'loadSafetensors', ...builders].join(', ')} }`;
  return shipment(`${family} getter`, names, 'index.js', '50 kB');
};

// The first is the aim; the other limits keep what there is from growing.
export default [
  getter('index.js', '45 kB'),
  // Both binaries as a file of their own: they can't be put together from streams where compiling is forbidden.
  getter('index.workerd.js', '49.6 kB'),
  getter('index.edge-light.js', '47.1 kB'),
  shipment('everything', '*', 'index.js', '109.9 kB'),
  ...families.map(familyGetter),
  shipment('safetensors by URL', '{ openSafetensors }', 'index.js', '11.2 kB'),
  // Of what is more than safetensors, pth-reader.mjs measures the reader of .pth files. Keys, shards, and what is no
  // weight file are the rest.
  shipment('weights of all formats by URL', '{ openSafetensors, openWeights }', 'index.js', '19.1 kB'),
  // What an image goes through before a network: 4 kB of each of the three below it.
  shipment('presets', '{ imageClassification, semanticSegmentation }', 'index.js', '5 kB'),
  shipment("one model's weights", '{ ResNet50_Weights }', 'weights/index.js', '6 kB'),
  shipment('all weights', '{ getWeight, getModelWeights, listWeights }', 'weights/index.js', '12 kB'),
  shipment('all weights with their classes', '{ getWeight, categoriesOf }', 'weights/index.js', '18 kB'),
  shipment('all models with weights', '{ pretrained }', 'weights/index.js', '91.5 kB'),
  shipment('a heat map', '{ heatmap, overlay }', 'tools/index.js', '4.5 kB'),
  shipment('all tools', '*', 'tools/index.js', '15.3 kB'),
  shipment('all models by name', '{ createModel, listModels, modelInfo }', 'models/registry.js', '62 kB'),
  shipment('models of the hub', '{ fromHub, rangesInCache }', 'hub/index.js', '80 kB'),
];
