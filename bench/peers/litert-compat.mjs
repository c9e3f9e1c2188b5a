/** LiteRT.js (XNNPACK), the build for engines without relaxed SIMD. */

import { loadBuild } from './tflite/runtime.mjs';

/** @type {import('../subject.mjs').Load} */
export const load = (bundle) => loadBuild(bundle, 'simd');
