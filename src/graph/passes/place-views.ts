/** Views without copies: what is its input seen otherwise, or some of its channels, has no place of its own. */

import { type Program, type Value, viewOf } from '../graph.ts';
import type { Placement } from './place-concats.ts';

/** The placements, and those of all views: each inside the value that its bytes belong to in the end. */
export function placeViews(
  { nodes }: Program,
  placements: ReadonlyMap<Value, Placement>,
): ReadonlyMap<Value, Placement> {
  const all = new Map(placements);
  for (const node of nodes) {
    const channel = viewOf(node);
    if (channel === null) continue;
    const [x] = node.inputs as [Value];
    const outer = all.get(x) ?? { inside: x, channel: 0 };
    all.set(node.output, { inside: outer.inside, channel: outer.channel + channel });
  }
  return all;
}
