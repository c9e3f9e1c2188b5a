/** onnxruntime-web's WebAssembly execution provider, one SIMD build for all engines. */

import * as ort from 'onnxruntime-web/wasm';
import { sessionOf } from './onnx/session.mjs';

/** @type {import('../subject.mjs').Load} */
export async function load(bundle) {
  ort.env.wasm.numThreads = bundle.threads;
  ort.env.logLevel = 'error';
  const { run } = await sessionOf(ort, bundle, { executionProviders: ['wasm'] });
  return { binary: 'simd', run };
}
