/** What is said of nodes that a model doesn't have. */

import { byNearness, describe, listed, ValueError } from '../errors.ts';
import { levelAbove } from '../nn/load-state-dict.ts';
import type { AnyModule } from '../nn/module.ts';
import { formatInputs, type TracedModel } from './traced-model.ts';

/** What a model tells of a module that its forward never runs in eval mode. */
interface TrainOnly {
  isTrainOnly?(): boolean;
}

/**
 * The error for nodes that aren't there: in torchvision's words first, then with the nodes of the deepest level that
 * is, and with the way out for paths that are no nodes.
 */
export function missingNodes(model: AnyModule, trace: TracedModel, missing: readonly string[]): ValueError {
  const { names, graph } = trace;
  const there = nearestNodes([...names.nodes.map(({ name }) => name), ...names.modules.keys()], missing);
  // A number at the end of a layer's own name is taken for a node's number.
  const renamed = missing.flatMap((query) => names.nodes.find(({ path }) => path === query) ?? []);
  const hints = renamed.map(({ path, name }) => `; the node of ${describe(path)} is ${describe(name)}`);
  const paths = new Set([...model.namedModules()].map(([path]) => path));
  const idle = missing.filter((path) => path && paths.has(path) && !renamed.some((node) => node.path === path));
  if (missing.includes('')) hints.push('; expected the name of a node, got ""');
  const isTrainOnly = (path: string) =>
    [...model.namedModules()].some(
      ([head, module]) => (module as TrainOnly).isTrainOnly?.() && `${path}.`.startsWith(`${head}.`),
    );
  const trained = idle.filter(isTrainOnly);
  if (trained.length > 0) {
    hints.push(`; ${listed(trained)} runs in train mode alone, and layertap runs all modules in eval mode`);
  }
  const others = idle.filter((path) => !trained.includes(path));
  if (others.length > 0) {
    const inputs = formatInputs(graph.inputs.map(({ shape }) => shape));
    const wayOut = 'where it does for others, give their shapes as inputShape';
    hints.push(`; ${listed(others)} doesn't run in eval mode for ${inputs}: ${wayOut}`);
  }
  return new ValueError(
    `createFeatureExtractor: node: ${listed(missing)} is not present in model; ` +
      `${there.join('; ')}${hints.join('')}${model.pathHint(missing)}`,
  );
}

/** By each level at which a query goes wrong: its nodes, the nearest first. */
function nearestNodes(names: readonly string[], queries: readonly string[]): string[] {
  const below = (level: string) => {
    const prefix = level === '' ? '' : `${level}.`;
    return new Set(names.flatMap((name) => (name.startsWith(prefix) ? name.slice(prefix.length).split('.')[0]! : [])));
  };
  const wrong = new Map<string, string[]>();
  for (const query of queries) {
    const level = levelAbove(query, (above) => below(above).size > 0);
    const part = query.slice(level === '' ? 0 : level.length + 1).split('.')[0]!;
    wrong.set(level, [...(wrong.get(level) ?? []), part]);
  }
  return [...wrong].map(([level, parts]) => {
    const near = listed(byNearness(parts, below(level)), 24);
    return level === '' ? `its nodes are ${near}` : `the nodes of ${describe(level)} are ${near}`;
  });
}
