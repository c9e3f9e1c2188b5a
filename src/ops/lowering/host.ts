/**
 * Host steps: plain TypeScript over the kernels' memory, for what no kernel computes. They run on the calling thread,
 * at its own speed, while other threads wait for the phase's end.
 */

import type { Parameter } from '../../tensor/parameter.ts';
import { numel, type Shape } from '../../tensor/shape.ts';
import { Tensor } from '../../tensor/tensor.ts';
import type { Kernels } from '../../wasm/kernels.gen.ts';
import type { Phase } from '../../wasm/step.ts';
import type { Algorithm, Work } from './algorithm.ts';
import { type Constant, vectorConstant } from './constant.ts';
import { fromPlanes, toPlanes } from './planes.ts';
import { channelsOf, pixelsOf } from './slot.ts';

/**
 * A phase that calls `compute` with the memory as floats: the float of an address is at a quarter of it. The view is
 * made at each call, since a memory that grows takes older ones away.
 */
export function hostPhase({ memory }: Kernels, compute: (floats: Float32Array) => void): Phase {
  return [{ host: () => compute(new Float32Array(memory.buffer)) }];
}

/** A host step's work on values: a float takes as long as some tens through a transform of a kernel. */
export function hostWork(shapes: readonly Shape[]): Work {
  return { macs: 0, transformed: 32 * shapes.reduce((most, shape) => Math.max(most, numel(shape)), 0) };
}

/**
 * The op's reference as an algorithm: on planes, which kernels copy out of the inputs and into the output.
 *
 * @param workOf how long it takes, where that isn't as for other references
 */
export function byReference<A>(
  reference: (inputs: readonly Tensor<Float32Array>[], attrs: A) => Tensor<Float32Array>,
  workOf = hostWork,
): Algorithm<A> {
  return {
    name: 'host',
    prepare({ inputs, output, attrs, shapes }) {
      const sizes = inputs.map(numel);
      const total = sizes.reduce((sum, size) => sum + size, 0);
      return {
        work: workOf([...inputs, output]),
        workspace: { tableBytes: 0, scratchBytes: (total + numel(output)) * 4, zeroBytes: 0 },
        phases(binding) {
          let end = binding.scratch;
          const places = sizes.map((size) => {
            end += size * 4;
            return end - size * 4;
          });
          const result = hostPhase(binding.kernels, ({ buffer }) => {
            const tensors = places.map((at, i) => new Tensor(new Float32Array(buffer, at, sizes[i]), shapes[i]!));
            new Float32Array(buffer, end, numel(output)).set(reference(tensors, attrs).data);
          });
          const copies = binding.inputs.flatMap((x, i) => toPlanes(x, places[i]!));
          return [copies, result, fromPlanes(end, binding.output)];
        },
      };
    },
  };
}

/** An op that gives a number for each number, by a host step on the values where they lie. */
export function elementwise<A>(name: string, of: (v: number, attrs: A) => number) {
  const reference = ([x]: readonly Tensor<Float32Array>[], attrs: A) =>
    new Tensor(
      x!.data.map((v) => of(v, attrs)),
      x!.shape,
    );
  const direct: Algorithm<A> = {
    name: 'host',
    prepare: ({ attrs, output: shape }) => ({
      work: hostWork([shape]),
      phases({ kernels, inputs, output }) {
        const x = inputs[0]!;
        const [pixels, channels] = [pixelsOf(output.shape), channelsOf(output.shape)];
        const phase = hostPhase(kernels, (floats) => {
          for (let i = 0; i < pixels; i++) {
            const from = (x.address + i * x.pixelBytes) / 4;
            const to = (output.address + i * output.pixelBytes) / 4;
            for (let c = 0; c < channels; c++) floats[to + c] = of(floats[from + c]!, attrs);
          }
        });
        return [phase];
      },
    }),
  };
  return { name, axis: 'any' as const, inferShape: ([x]: readonly Shape[]) => x!, reference, algorithms: [direct] };
}

/** A parameter as it is, in a constant of its own: what host steps read of parameters. */
export function rawConstant(parameter: Parameter | null): Constant | null {
  if (!parameter) return null;
  const layout = { channels: parameter.numel(), groups: 1, multiple: 1 };
  return vectorConstant('raw', [parameter], layout, 1, ([values]) => [values!]);
}
