/** Drops every node that no tap needs: what follows the last tap, side branches, and what has no elements. */

import { numel } from '../../tensor/shape.ts';
import type { Node, Program, Value } from '../graph.ts';

/** The same program without what its taps don't depend on. For an empty batch nothing is left. */
export function prune(program: Program): Program {
  const needed = new Set<Value>(program.taps);
  const nodes: Node[] = [];
  for (const node of [...program.nodes].reverse()) {
    if (!needed.has(node.output) || numel(node.output.shape) === 0) continue;
    for (const x of node.inputs) needed.add(x);
    nodes.push(node);
  }
  return { ...program, nodes: nodes.reverse() };
}
