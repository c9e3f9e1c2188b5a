/** A trace whose errors say where they arose, and from which size on an input works. */

import { ShapeError } from '../errors.ts';
import { Graph, recordingInto, type Value, type Watch } from '../graph/graph.ts';
import { formatShape, type Shape } from '../tensor/shape.ts';
import { smallestSize } from './smallest-size.ts';

/** What tells the paths of its modules. */
interface Named {
  namedModules(): Iterable<readonly [path: string, module: object]>;
}

/**
 * What is recorded for inputs of these shapes, and the graph.
 *
 * @throws {@link ShapeError} with the path of the layer that an input doesn't fit, and the smallest square that works
 *   where the input is smaller
 */
export function traced<Output>(root: Named, shapes: readonly Shape[], record: (values: readonly Value[]) => Output) {
  const graph = new Graph(shapes);
  try {
    return { graph, output: recordingInto(graph, () => record(graph.inputs)) };
  } catch (error) {
    throw error instanceof ShapeError ? located(error, root, shapes, record) : error;
  }
}

/** The error with what is known of its place. */
function located(
  error: ShapeError,
  root: Named,
  shapes: readonly Shape[],
  record: (values: readonly Value[]) => unknown,
): ShapeError {
  const look = (tried: readonly Shape[], watch: Watch) => {
    const graph = new Graph(tried);
    graph.watch = { ...watch, isQuiet: true };
    recordingInto(graph, () => record(graph.inputs));
  };
  let layer: object | undefined;
  const returned = new Set<object>();
  try {
    look(shapes, {
      enter: (module) => returned.delete(module),
      complete: (module) => void returned.add(module),
      exit(module) {
        if (!returned.has(module)) layer ??= module;
      },
    });
  } catch {
    // The same error again.
  }
  const path = [...root.namedModules()].find(([, module]) => module === layer)?.[0];
  if (!path) return error;
  const [[images, channels, height, width]] = shapes as [Shape];
  const side = width === undefined ? null : smallestSize((one) => look([[images!, channels!, one, one]], {}));
  const isSmaller = side !== null && (height! < side || width! < side);
  const works = isSmaller ? `; the smallest input that works is ${formatShape([images!, channels!, side, side])}` : '';
  return new ShapeError(`${root.constructor.name}: ${path}: ${error.message}${works}`);
}
