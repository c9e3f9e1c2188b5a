/** Concatenation along the channels. Where it can, a plan has the inputs written side by side and skips this op. */

import { ShapeError } from '../errors.ts';
import { formatShape, numel } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import type { Step } from '../wasm/step.ts';
import { f32_copy } from '../wasm/steps.gen.ts';
import { ranges } from './lowering/cut.ts';
import { channelsOf, pixelsOf } from './lowering/slot.ts';
import type { Op, Reference } from './op.ts';

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

  algorithms: [
    {
      name: 'direct',
      prepare: ({ engine }) => ({
        steps({ inputs, output }) {
          let offset = 0;
          const steps: Step[] = [];
          for (const x of inputs) {
            const to = output.address + offset * 4;
            const channels = channelsOf(x.shape);
            offset += channels;
            // An input that lies in its place already needs no copy.
            if (x.address === to && x.pixelBytes === output.pixelBytes) continue;
            for (const { first, count } of ranges(pixelsOf(x.shape), engine.threads)) {
              const copy = f32_copy({
                pixels: count,
                channels,
                x: x.address + first * x.pixelBytes,
                pixelBytes: x.pixelBytes,
                out: to + first * output.pixelBytes,
                outBytes: output.pixelBytes,
              });
              steps.push(copy);
            }
          }
          return [steps];
        },
      }),
    },
  ],
};

/** {@link cat} by plain loops. */
export const referenceCat: Reference<null> = (inputs) => {
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
};
