/** ONNX Runtime's session, which its web and its native build have in common. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readFloats, readProgram } from '../../bundle.mjs';

/**
 * A model of a bundle, ready to run.
 *
 * @param {any} ort @param {import('../../subject.mjs').Bundle} bundle @param {object} options the session's
 * @returns {Promise<{ run(): Promise<import('../../subject.mjs').Output[]> }>}
 */
export async function sessionOf(ort, { folder, isResident }, options) {
  const { input, shapes, outputs, constants } = readProgram(folder);
  // Layers without weights that stand side by side would be taken for one.
  const graphOptimizationLevel = isResident && constants.length === 0 ? 'disabled' : 'all';
  const model = readFileSync(join(folder, 'model.onnx'));
  const session = await ort.InferenceSession.create(model, { ...options, graphOptimizationLevel });
  const x = readFloats(join(folder, 'input.bin'));
  return {
    async run() {
      const results = await session.run({ x: new ort.Tensor('float32', x, shapes[input]) });
      return outputs.map(({ name }) => ({ data: results[name].data, layout: 'nchw' }));
    },
  };
}
