/**
 * What a user ships, and how much of it there may be: `npm run size [-- --json]`. JavaScript minified, with the
 * binaries that the bundle has or imports, all by gzip -9.
 */

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

// The aim is 45 kB for the first, which is missed; the limits keep what there is from growing.
export default [
  getter('index.js', '48 kB'),
  // Both binaries as a file of their own: they can't be put together from streams where compiling is forbidden.
  getter('index.workerd.js', '51 kB'),
  getter('index.edge-light.js', '47.5 kB'),
  shipment('everything', '*', 'index.js', '94 kB'),
  shipment('all models by name', '{ createModel, listModels, modelInfo }', 'models/registry.js', '75 kB'),
];
