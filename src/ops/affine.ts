/** The phase that batch norm, addition and clamping share where no other op's epilogue took them up. */

import { epilogueArguments } from './epilogue.ts';
import { type Binding, channelsOf, type Epilogue, type Phase, pixelsOf, ranges, type Slot, stepOf } from './op.ts';

/**
 * out = clamp(x·scale + shift + residual, min, max) on the first input.
 *
 * @param epilogue the op itself as an epilogue, with what joined it
 */
export function affinePhase(binding: Binding, epilogue: Epilogue, residual: Slot | null = binding.residual): Phase {
  const { inputs, output, engine } = binding;
  const x = inputs[0]!;
  const [scale, shift, from, fromBytes, ...activation] = epilogueArguments({ ...binding, epilogue, residual });
  return ranges(pixelsOf(output.shape), engine.threads).map(({ first, count }) =>
    stepOf(
      'f32_affine',
      ...([count, channelsOf(output.shape), x.address + first * x.pixelBytes, x.pixelBytes] as const),
      ...([output.address + first * output.pixelBytes, output.pixelBytes, scale, shift] as const),
      ...([from && from + first * fromBytes, fromBytes, ...activation] as const),
    ),
  );
}
