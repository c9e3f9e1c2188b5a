/** Concatenation without copies: an input is written where the concatenation's output has its channels. */

import { assert } from '../../errors.ts';
import { channelsOf } from '../../ops/lowering/slot.ts';
import { type Program, type Value, viewOf } from '../graph.ts';

/** Where a value lies inside another one's pixels. */
export interface Placement {
  readonly inside: Value;
  /** The first of its channels there. */
  readonly channel: number;
}

/**
 * The values that can be written in place. Kernels write whole vectors of four channels, so each but the last input
 * must have a multiple of four; a program's inputs, views and values that lie elsewhere already are copied.
 */
export function placeConcats(program: Program): ReadonlyMap<Value, Placement> {
  const fixed = new Set(program.inputs);
  for (const node of program.nodes) if (viewOf(node) !== null) fixed.add(node.output);
  const placements = new Map<Value, Placement>();
  // Backwards, so that an outer concatenation is placed before the ones inside it.
  for (const { op, inputs: parts, output } of [...program.nodes].reverse()) {
    if (!op.concatenates) continue;
    if (!parts.slice(0, -1).every((part) => channelsOf(part.stored) % 4 === 0)) continue;
    const outer = placements.get(output);
    let channel = outer?.channel ?? 0;
    for (const part of parts) {
      if (!fixed.has(part) && !placements.has(part)) {
        placements.set(part, { inside: outer?.inside ?? output, channel });
      }
      channel += channelsOf(part.stored);
    }
  }
  for (const { inside } of placements.values()) assert(!placements.has(inside), 'a placement has one level');
  return placements;
}
