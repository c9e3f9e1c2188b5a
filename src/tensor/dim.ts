/** How an axis is told: counted from the first, or by a negative number from the last. */

import { describe, ValueError } from '../errors.ts';

/** An axis counted from the first; negative ones count from the end. @throws {@link ValueError} in PyTorch's words */
export function toDim(name: string, dim: unknown, rank: number): number {
  const most = Math.max(rank, 1);
  if (Number.isInteger(dim) && (dim as number) >= -most && (dim as number) < most) {
    return (dim as number) < 0 ? (dim as number) + most : (dim as number);
  }
  throw new ValueError(
    `Dimension out of range (expected to be in range of [${-most}, ${most - 1}], but got ${describe(dim)}); ${name}`,
  );
}
