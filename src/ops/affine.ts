/** The step that batch norm, addition and clamping share where no other op's epilogue took them up. */

import { epilogueArguments } from './epilogue.ts';
import { type Binding, channelsOf, type Epilogue, pixelsOf, type Slot, stepOf } from './op.ts';

/**
 * out = clamp(x·scale + shift + residual, min, max) on the first input.
 *
 * @param epilogue the op itself as an epilogue, with what joined it
 */
export function bindAffine(binding: Binding, epilogue: Epilogue, residual: Slot | null = binding.residual): () => void {
  const { kernels, inputs, output } = binding;
  const x = inputs[0]!;
  return stepOf(
    kernels.f32_affine,
    ...([pixelsOf(output.shape), channelsOf(output.shape)] as const),
    ...([x.address, x.pixelBytes, output.address, output.pixelBytes] as const),
    ...epilogueArguments({ ...binding, epilogue, residual }),
  );
}
