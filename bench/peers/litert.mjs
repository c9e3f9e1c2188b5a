/** LiteRT.js (XNNPACK), the build that it takes by itself: relaxed SIMD where the engine has it. */

import { supportsFeature } from '@litertjs/core';
import { loadBuild } from './tflite/runtime.mjs';

/** @type {import('../subject.mjs').Load} */
export const load = async (bundle) => loadBuild(bundle, (await supportsFeature('relaxedSimd')) ? 'relaxed' : 'simd');
