/**
 * onnxruntime-node: native code, with the CPU's widest vectors. What WebAssembly can't reach; never one of its
 * runtimes.
 */

import ort from 'onnxruntime-node';
import { sessionOf } from './onnx/session.mjs';

/** @type {import('../subject.mjs').Load} */
export async function load(bundle) {
  const threads = { intraOpNumThreads: bundle.threads, interOpNumThreads: 1 };
  const options = { ...threads, executionProviders: ['cpu'], executionMode: 'sequential', logSeverityLevel: 3 };
  const { run } = await sessionOf(ort, bundle, options);
  return { binary: 'native', run };
}
