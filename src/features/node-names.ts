/**
 * Names of a trace's nodes, as torchvision gives them: a leaf module's path, or a function's name after the path of the
 * module that applies it; and `_1`, `_2` where a name comes again.
 *
 * @see torchvision.models.feature_extraction.NodePathTracer
 */

import type { Value, Watch } from '../graph/graph.ts';

/**
 * What names need to know of a module. Not nn's class, since that depends on the binaries, and what does has a copy for
 * each of the package's entries.
 */
export interface NamedModule {
  isLeaf?(): boolean;
  /** True where functions below have no other path than this module's: an extractor is one graph, as in torchvision. */
  readonly isFlat?: boolean;
  namedModules(): Iterable<readonly [path: string, module: object]>;
}

/** A node of a model: what a leaf module or a function returned. */
export interface NamedNode {
  readonly name: string;
  output: unknown;
  /** The path of the module, or of the function, that gave it: the name without a number that tells it from others. */
  readonly path: string;
  /** Its place in the order in which nodes and modules returned. */
  readonly at: number;
}

/** Names the nodes of a model while it is traced. */
export class NodeNames implements Watch {
  /** The nodes in the order in which they ran, the inputs first. */
  readonly nodes: NamedNode[] = [];
  /** Modules that aren't nodes, as they returned first: those inside of leaves, and those that consist of nodes. */
  readonly modules = new Map<string, NamedNode>();
  readonly #paths: ReadonlyMap<object, string>;
  readonly #outer: Watch | null;
  readonly #isShown: (name: string) => boolean;
  /** How many nodes and modules have returned. */
  #returned = 0;
  /** The modules that run now, the outermost first. */
  readonly #running: NamedModule[] = [];
  /** The last suffix of each name. */
  readonly #suffixes = new Map<string, number>();

  /**
   * @param outer who watches the same trace from further out
   * @param isShown whether a node of that name is one of the outer model's nodes, too: an extractor inside of it has
   *   only the nodes that its features need
   */
  constructor(
    model: NamedModule,
    inputs: readonly Value[],
    outer: Watch | null,
    isShown: (name: string) => boolean = () => true,
  ) {
    this.#paths = new Map([...model.namedModules()].map(([path, module]) => [module, path]));
    this.#outer = outer;
    this.#isShown = isShown;
    for (const input of inputs) this.#add('x', input);
  }

  get isQuiet(): boolean {
    return this.#outer?.isQuiet ?? false;
  }

  enter(module: NamedModule, inputs: readonly unknown[]): void {
    this.#running.push(module);
    this.#outer?.enter?.(module, inputs);
  }

  complete(module: NamedModule, output: unknown): unknown {
    const path = this.#paths.get(module);
    const isNode = this.#running.findIndex((one) => this.#isLeaf(one)) === this.#running.length - 1;
    const node = path && isNode ? this.#add(path, output) : null;
    if (path && !isNode && !this.modules.has(path)) {
      this.modules.set(path, { name: path, output, path, at: this.#returned++ });
    }
    const own = (this.#isHidden(node) ? null : this.#outer?.complete?.(module, output)) ?? output;
    if (node) node.output = own;
    return own;
  }

  exit(module: NamedModule): void {
    this.#running.pop();
    this.#outer?.exit?.(module);
  }

  apply(name: string, output: unknown): void {
    const named = this.#running.filter((module) => this.#paths.has(module));
    const inner = named.find(({ isFlat }) => isFlat) ?? named.at(-1);
    const path = inner && this.#paths.get(inner);
    const isInside = this.#running.some((module) => this.#isLeaf(module));
    const node = isInside ? null : this.#add(path ? `${path}.${name}` : name, output);
    // What runs inside of a leaf is no node of an outer model either, even where the leaf is hidden from it.
    const isHidden = isInside ? this.#outer instanceof NodeNames : this.#isHidden(node);
    if (!isHidden) this.#outer?.apply?.(name, output);
  }

  /** Whether a node isn't told to who names those of an outer model. Others watch all that runs. */
  #isHidden(node: NamedNode | null): boolean {
    return node !== null && this.#outer instanceof NodeNames && !this.#isShown(node.name);
  }

  /** The model itself is none, nor a module that isn't below it and so has no path to be named by. */
  #isLeaf(module: NamedModule): boolean {
    return Boolean(this.#paths.get(module) && module.isLeaf?.());
  }

  #add(qualifiedName: string, output: unknown): NamedNode {
    // torchvision takes a number at a name's end for a suffix, so a leaf `conv_2` is `conv`.
    const base = /^(.+)_\d+$/.exec(qualifiedName)?.[1] ?? qualifiedName;
    const last = this.#suffixes.get(base);
    const name = last === undefined ? base : `${base}_${last + 1}`;
    this.#suffixes.set(name, 0);
    // A leaf `conv_1_1` is the node `conv_1`, and so takes a name from `conv`'s.
    const [, shorter, suffix] = /^(.+)_(\d+)$/.exec(name) ?? [];
    if (shorter) this.#suffixes.set(shorter, Math.max(this.#suffixes.get(shorter) ?? 0, Number(suffix)));
    const node = { name, output, path: qualifiedName, at: this.#returned++ };
    this.nodes.push(node);
    return node;
  }
}
