/** `npm run test:quick`: what tells most in 45 seconds of two cores. */

import { mergeConfig } from 'vitest/config';
import shared from '../vitest.config.ts';

/** Left out: what takes seconds, and tells of one thing or of what the goldens of ops and names tell as well. */
const SLOW = [
  // Whole networks, thousands of cases, other programs.
  'test/{bundle,cli,examples,fuzz,kernels,property,soak,sweeps,threads}/**',
  'test/goldens/{models,real}.test.ts',
  'test/goldens/zoo/**',
  'test/{docs,package,readme}.test.ts',
  'test/formats/**',
  // Each algorithm with infinities, each layout with each binary, networks whose memory is nearly full.
  'test/nn/infinities.test.ts',
  'test/plan/{budget,layout,scratch}.test.ts',
  // Processes and globals of their own, and files of whole networks.
  'test/{node,wasm}/**',
  'test/hub/{open-hub,range-cache,same}.test.ts',
  'test/weights/pretrained.test.ts',
  'test/models/{older-files,options,segmentation}.test.ts',
  // Whole photos.
  'test/{image,weights}/presets.test.ts',
];

export default mergeConfig(shared, {
  // Files share what they import: half of the time is importing.
  test: { exclude: SLOW, isolate: false },
});
