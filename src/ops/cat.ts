/** Concatenation. Where it can, a plan has the inputs written side by side and skips this op. */

import { ShapeError } from '../errors.ts';
import { formatShape, numel } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import type { Step } from '../wasm/step.ts';
import { f32_copy } from '../wasm/steps.gen.ts';
import { ranges } from './lowering/cut.ts';
import { relay } from './lowering/relay.ts';
import { channelsOf, pixelsOf } from './lowering/slot.ts';
import type { Op, Reference } from './op.ts';

/** Attributes of {@link cat}. */
export interface CatAttrs {
  readonly axis: number;
}

/** @see torch.cat */
export const cat: Op<CatAttrs> = {
  name: 'cat',
  concatenates: true,
  axis: ({ axis }) => axis,
  relay,
  // Where they come together, those of the longest input count: a token of a class beside others tells nothing.
  rows: ({ axis }, rows, { shape: x }, { inputs }, known) => [
    Number(rows !== axis || inputs.every((other) => !known.get(other)![0] || other.shape[axis]! <= x[axis]!)),
  ],
  mixedAxes: ({ axis }) => [axis],

  inferShape(inputs, { axis }) {
    const first = inputs[0]!;
    const fits = inputs.every((x) => x.length === first.length && x.every((n, i) => i === axis || n === first[i]));
    if (!fits || first.length === 0) {
      throw new ShapeError(
        `cat: expected tensors of one shape but for axis ${axis}, got ${inputs.map(formatShape).join(', ')}`,
      );
    }
    return first.map((size, i) => (i === axis ? inputs.reduce((sum, x) => sum + x[i]!, 0) : size));
  },

  algorithms: [
    {
      name: 'direct',
      prepare: ({ engine }) => ({
        phases({ inputs, output }) {
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
export const referenceCat: Reference<CatAttrs> = (inputs, attrs) => {
  const shape = cat.inferShape(
    inputs.map((x) => x.shape),
    attrs,
  );
  const out = new Float32Array(numel(shape));
  const outer = numel(shape.slice(0, attrs.axis));
  let at = 0;
  for (let n = 0; n < outer; n++) {
    for (const { data } of inputs) {
      const run = data.length / outer;
      out.set(data.subarray(n * run, (n + 1) * run), at);
      at += run;
    }
  }
  return new Tensor(out, shape);
};
