/**
 * A model of each torchvision family, in layertap and in its peers, as the suite `models` measures its six: `npm run
 * bench -- zoo`. Any other builder by `--models`.
 */

import { compareAll } from './models.mjs';

/** The least that the fastest WASM peer's time over layertap's may be, by the engine. */
const BOUND = { 24: 1.3, 26: 1.3 };

const MODELS = [
  'alexnet',
  'vgg16',
  'densenet121',
  'googlenet',
  'inception_v3',
  'shufflenet_v2_x1_0',
  'mnasnet1_0',
  'efficientnet_b0',
  'efficientnet_v2_s',
  'regnet_y_800mf',
  'regnet_x_3_2gf',
  'resnext50_32x4d',
  'convnext_tiny',
  'lraspp_mobilenet_v3_large',
];

/** @param {import('../run.mjs').Context} context @returns {Promise<import('../report.mjs').Result>} */
export const run = (context) => compareAll(context, 'zoo', Object.fromEntries(MODELS.map((name) => [name, BOUND])));
