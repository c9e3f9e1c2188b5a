/**
 * Host steps: plain TypeScript over the kernels' memory, for what no kernel computes. They run on the calling thread,
 * at its own speed, while other threads wait for the phase's end.
 */

import { numel } from '../../tensor/shape.ts';
import { Tensor } from '../../tensor/tensor.ts';
import type { Kernels } from '../../wasm/kernels.gen.ts';
import type { Phase } from '../../wasm/step.ts';
import type { Algorithm } from './algorithm.ts';
import { fromPlanes, toPlanes } from './planes.ts';

/**
 * A phase that calls `compute` with the memory as floats: the float of an address is at a quarter of it. The view is
 * made at each call, since a memory that grows takes older ones away.
 */
export function hostPhase({ memory }: Kernels, compute: (floats: Float32Array) => void): Phase {
  return [{ host: () => compute(new Float32Array(memory.buffer)) }];
}

/** The op's reference as an algorithm: on planes, which kernels copy out of the inputs and into the output. */
export function byReference<A>(
  reference: (inputs: readonly Tensor<Float32Array>[], attrs: A) => Tensor<Float32Array>,
): readonly Algorithm<A>[] {
  return [
    {
      name: 'host',
      prepare({ inputs, output, attrs, shapes }) {
        const sizes = inputs.map(numel);
        const total = sizes.reduce((sum, size) => sum + size, 0);
        return {
          workspace: { tableBytes: 0, scratchBytes: (total + numel(output)) * 4, zeroBytes: 0 },
          steps(binding) {
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
    },
  ];
}
