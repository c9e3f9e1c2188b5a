/** The runtimes to compare with: each a file in peers/, and the folder there that writes the files it loads. */

/** @type {Readonly<Record<string, { format: 'tfjs' | 'onnx' | 'tflite', isNative?: boolean }>>} */
export const PEERS = {
  'tfjs-wasm': { format: 'tfjs' },
  'onnxruntime-web': { format: 'onnx' },
  litert: { format: 'tflite' },
  'litert-compat': { format: 'tflite' },
  // What WebAssembly can't reach: a reference, never counted as the fastest or the leanest.
  'onnxruntime-node': { format: 'onnx', isNative: true },
};
