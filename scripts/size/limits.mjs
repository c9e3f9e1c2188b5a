/**
 * What a user ships, and how much of it there may be: `npm run size [-- --json]`. JavaScript minified, with the binaries that the
 * bundle has or imports, all by gzip -9.
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

const getter = (entry) =>
  shipment('ResNet-18 getter', '{ IntermediateLayerGetter, loadSafetensors, resnet18 }', entry, '45 kB');

export default [
  getter('index.js'),
  getter('index.workerd.js'),
  getter('index.edge-light.js'),
  shipment('everything', '*', 'index.js', '70 kB'),
];
