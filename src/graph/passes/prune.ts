/** Drops every node that no tap needs: what follows the last tap, and side branches. */

import type { Node, Program, Value } from '../graph.ts';

/** The same program without what its taps don't depend on. */
export function prune(program: Program): Program {
  const needed = new Set<Value>(program.taps);
  const nodes: Node[] = [];
  for (const node of [...program.nodes].reverse()) {
    if (!needed.has(node.output)) continue;
    for (const x of node.inputs) needed.add(x);
    nodes.push(node);
  }
  return { ...program, nodes: nodes.reverse() };
}
