/** How a call knows whether a trace still holds: what the trace depends on is compared with what it was. */

import { changes } from '../tensor/parameter.ts';
import { everyPart } from './members.ts';

/** What a trace depends on: the members of one module, or a parameter. */
export interface Dependency {
  /** Another one after each change that is noted. */
  readonly version: number;
  /** What may change without a note. */
  readonly contents?: ReadonlyMap<PropertyKey, object>;
}

/** What a trace depends on, as it was. */
export class Snapshot {
  readonly #dependencies: readonly Dependency[];
  readonly #versions: string;
  readonly #contents: readonly object[];
  /** What the contents held. */
  readonly #held: unknown[] = [];
  #changes = changes.count;

  constructor(dependencies: readonly Dependency[]) {
    this.#dependencies = dependencies;
    this.#versions = String(dependencies.map(({ version }) => version));
    this.#contents = dependencies.flatMap(({ contents }) => [...(contents?.values() ?? [])]);
    everyPart(this.#contents, (one) => this.#held.push(one) > 0);
  }

  /** True as long as all is what it was. Every call asks. So versions are compared after a change alone. */
  get isCurrent(): boolean {
    if (this.#changes !== changes.count) {
      if (this.#versions !== String(this.#dependencies.map(({ version }) => version))) return false;
      this.#changes = changes.count;
    }
    let i = 0;
    return everyPart(this.#contents, (one) => Object.is(one, this.#held[i++])) && i === this.#held.length;
  }
}
