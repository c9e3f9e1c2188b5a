/**
 * Taps and segments a scene of handwritten digits: prints what was tapped, and writes the mask and the heat maps of
 * both features to a folder, `out` unless given: `node main.mjs [FOLDER]`.
 */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { imageFromRgb, loadSafetensors, semanticSegmentation } from 'layertap';
import { heatmaps } from 'layertap-cli/heatmap';
import { argmax, countClasses, encodeMask } from 'layertap-cli/mask';
import sharp from 'sharp';
import { CLASSES, digitsNetwork } from './network.mjs';

const here = (file) => new URL(file, import.meta.url);
const [folder = 'out'] = process.argv.slice(2);

const network = digitsNetwork();
network.loadStateDict(loadSafetensors(readFileSync(here('weights.safetensors'))));

const { data, info } = await sharp(readFileSync(here('scene.png')))
  .raw()
  .toBuffer({ resolveWithObject: true });
const x = semanticSegmentation(imageFromRgb(data, info.width, info.height), { resizeSize: null });
console.log(`scene.png as ${x}`);

// The backbone alone: two features, and nothing behind layer4.
const backbone = /** @type {import('layertap').IntermediateLayerGetter} */ (network.backbone);
const [features, tapMs] = timed(() => backbone.forward(x));
console.log(`\ntapped in ${tapMs} ms (${backbone.compiled?.binary} binary):`);
for (const { name, module, shape, macs } of backbone.featureInfo(x.shape)) {
  console.log(
    `  ${String(name).padEnd(4)} ${module}  [${shape.join(', ')}]  ${(macs / 1e6).toFixed(1)} M multiply-accumulates`,
  );
}

// The whole network: DeepLab v3 with its auxiliary head.
const [scores, segmentMs] = timed(() => network.call(x));
console.log(`\nsegmented in ${segmentMs} ms:`);
for (const [name, { shape }] of scores) console.log(`  ${name.padEnd(4)} [${shape.join(', ')}]`);
const mask = argmax(scores.get('out'));
const found = countClasses(mask).filter((counted) => counted.class > 0 && counted.pixels >= 50);
console.log(
  `  digits found: ${found.map((counted) => `${CLASSES[counted.class]} (${counted.pixels} pixels)`).join(', ')}`,
);

mkdirSync(folder, { recursive: true });
/** @type {[file: string, bytes: Uint8Array][]} */
const written = [['mask.png', await encodeMask(mask)]];
for (const [name, feature] of features) written.push([`${name}.png`, (await heatmaps(feature, info))[0].png]);
for (const [file, bytes] of written) writeFileSync(join(folder, file), bytes);
console.log(`\nwrote ${written.map(([file]) => join(folder, file)).join(', ')}`);

/** What `run` returns and its time in milliseconds, once it is compiled and warm. */
function timed(run) {
  for (let i = 0; i < 3; i++) run();
  const start = performance.now();
  const result = run();
  return [result, (performance.now() - start).toFixed(1)];
}
