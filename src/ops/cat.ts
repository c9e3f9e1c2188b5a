/** Concatenation along the channels. Where it can, a plan has the inputs written side by side and skips this op. */

import { ShapeError } from '../errors.ts';
import { formatShape, numel } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { channelsOf, type Op, pixelsOf, ranges, type Step, stepOf } from './op.ts';

/** @see torch.cat with dim=1 */
export const cat: Op<null> = {
  name: 'cat',
  concatenates: true,

  inferShape(inputs) {
    const first = inputs[0]!;
    const fits = inputs.every((x) => x.length === first.length && x.every((size, i) => i === 1 || size === first[i]));
    if (!fits || first.length < 2) {
      throw new ShapeError(
        `cat: expected tensors of one shape but for the channels, got ${inputs.map(formatShape).join(', ')}`,
      );
    }
    return first.map((size, i) => (i === 1 ? inputs.reduce((sum, x) => sum + x[1]!, 0) : size));
  },

  reference(inputs) {
    const shape = cat.inferShape(
      inputs.map((x) => x.shape),
      null,
    );
    const out = new Float32Array(numel(shape));
    let at = 0;
    for (let n = 0; n < shape[0]!; n++) {
      for (const { data } of inputs) {
        const run = data.length / shape[0]!;
        out.set(data.subarray(n * run, (n + 1) * run), at);
        at += run;
      }
    }
    return new Tensor(out, shape);
  },

  algorithms: [
    {
      name: 'direct',
      bind({ engine, inputs, output }) {
        let offset = 0;
        const steps: Step[] = [];
        for (const x of inputs) {
          const to = output.address + offset * 4;
          offset += channelsOf(x.shape);
          // An input that lies in its place already needs no copy.
          if (x.address === to && x.pixelBytes === output.pixelBytes) continue;
          for (const { first, count } of ranges(pixelsOf(x.shape), engine.threads)) {
            const addresses = [x.address + first * x.pixelBytes, x.pixelBytes, to + first * output.pixelBytes] as const;
            steps.push(stepOf('f32_copy', count, channelsOf(x.shape), ...addresses, output.pixelBytes));
          }
        }
        return [steps];
      },
    },
  ],
};
