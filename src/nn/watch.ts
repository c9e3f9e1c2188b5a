/** How a call knows whether a trace still holds: what the trace depends on is compared with what it was. */

import { changes } from '../tensor/parameter.ts';
import { everyPart } from './members.ts';

/** A part of what a trace depends on. */
export interface Watchable {
  /** Another one after each change that is noted. */
  readonly version: number;
  /** What may change without a note. */
  readonly contents?: ReadonlyMap<PropertyKey, object>;
}

/** Parts that a trace depends on, as they were. */
export class Watch {
  readonly #parts: readonly Watchable[];
  readonly #versions: string;
  readonly #contents: readonly object[];
  /** What the contents held. */
  readonly #held: unknown[] = [];
  #changes = changes.count;

  constructor(parts: readonly Watchable[]) {
    this.#parts = parts;
    this.#versions = String(parts.map(({ version }) => version));
    this.#contents = parts.flatMap(({ contents }) => [...(contents?.values() ?? [])]);
    everyPart(this.#contents, (one) => this.#held.push(one) > 0);
  }

  /** True as long as they are what they were. Every call asks. So versions are compared after a change alone. */
  get isCurrent(): boolean {
    if (this.#changes !== changes.count) {
      if (this.#versions !== String(this.#parts.map(({ version }) => version))) return false;
      this.#changes = changes.count;
    }
    let i = 0;
    return everyPart(this.#contents, (one) => Object.is(one, this.#held[i++])) && i === this.#held.length;
  }
}
