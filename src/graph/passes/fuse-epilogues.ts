/**
 * Lets a node's kernel do what the next nodes would: batch norm, residual addition, activation. Never across a tap, and
 * in the epilogue's one order, so that no value changes by a bit.
 */

import { EPILOGUE_ORDER, type EpiloguePart, NO_EPILOGUE } from '../../ops/rules/epilogue.ts';
import type { Node, Program, Value } from '../graph.ts';

/** The same program with nodes joined into the epilogues of the nodes before them. */
export function fuseEpilogues(program: Program): Program {
  const taps = new Set(program.taps);
  const uses = new Map<Value, number>();
  for (const { inputs } of program.nodes) for (const x of inputs) uses.set(x, (uses.get(x) ?? 0) + 1);

  const nodes: Node[] = [];
  const positions = new Map<Value, number>();
  for (const node of program.nodes) {
    const at = absorber(node);
    if (at === -1) {
      positions.set(node.output, nodes.length);
      nodes.push(node);
    } else {
      nodes[at] = joined(nodes[at]!, node);
      positions.set(node.output, at);
    }
  }
  return { ...program, nodes };

  /** The position of the node that can take up `node`, or -1. Of an addition's two inputs, the one computed last. */
  function absorber(node: Node): number {
    const part = node.op.asEpiloguePart?.(node.attrs);
    if (!part || node.epilogue !== NO_EPILOGUE) return -1;
    const at = node.inputs.reduce((last, x) => Math.max(last, positions.get(x) ?? -1), -1);
    const before = nodes[at];
    if (!before || taps.has(before.output) || uses.get(before.output) !== 1) return -1;
    return takes(before, part) ? at : -1;
  }
}

/** True where the node's op applies such a part, and none of its epilogue's parts comes at or after it. */
function takes({ op, epilogue }: Node, part: EpiloguePart): boolean {
  const at = EPILOGUE_ORDER.findIndex((kind) => kind in part);
  const isLast = EPILOGUE_ORDER.slice(at).every((kind) => !epilogue[kind]);
  return isLast && op.acceptsInEpilogue?.includes(EPILOGUE_ORDER[at]!) === true;
}

function joined(before: Node, node: Node): Node {
  const others = node.inputs.filter((x) => x !== before.output);
  const epilogue = { ...before.epilogue, ...node.op.asEpiloguePart!(node.attrs) };
  return { ...before, inputs: [...before.inputs, ...others], epilogue, output: node.output };
}
