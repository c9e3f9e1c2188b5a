/** Residual addition without room for its output, which is written over the residual. */

import type { Node, Program, Value } from '../graph.ts';
import type { Placement } from './place-concats.ts';

/**
 * The placements, and of outputs that can lie where the node's residual does: nothing reads that any more, nor anything
 * else that lies there.
 *
 * @param allows whether a node's kernels read each element of the residual just before they write the output's, and no
 *   later
 */
export function placeResiduals(
  { inputs, nodes, taps }: Program,
  placements: ReadonlyMap<Value, Placement>,
  allows: (node: Node) => boolean,
): ReadonlyMap<Value, Placement> {
  const kept = new Set([...inputs, ...taps]);
  const concatenated = new Set([...placements.keys(), ...[...placements.values()].map(({ inside }) => inside)]);
  const readers = new Map<Value, Node>();
  for (const node of nodes) for (const value of node.inputs) readers.set(value, node);
  const all = new Map(placements);
  for (const node of nodes) {
    if (!node.epilogue.residual || !allows(node)) continue;
    const residual = node.inputs.at(-1)!;
    const isLast = readers.get(residual) === node && node.inputs.indexOf(residual) === node.inputs.length - 1;
    if (!isLast || kept.has(residual) || concatenated.has(residual) || concatenated.has(node.output)) continue;
    all.set(node.output, all.get(residual) ?? { inside: residual, channel: 0 });
  }
  return all;
}
