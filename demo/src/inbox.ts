/** Files that come in anywhere on the page, by what they are. */

import { isPicture, isWeights } from './files.ts';

/** Who takes files: the network's panel, or a tab. */
export type Taker = 'weights' | 'layers' | 'similarity';

/** Where files go. */
export class Inbox {
  readonly #takers = new Map<Taker, (files: readonly File[]) => void>();

  /** Has a part of the page take files. Returns what ends that. */
  on(taker: Taker, take: (files: readonly File[]) => void): () => void {
    this.#takers.set(taker, take);
    return () => {
      if (this.#takers.get(taker) === take) this.#takers.delete(taker);
    };
  }

  /**
   * Gives files to those that take them: weights are told by their names, pictures go to the tab that is shown.
   *
   * @param otherwise who is given what is neither, and says so
   */
  give(files: readonly File[], tab: Exclude<Taker, 'weights'>, otherwise: Taker = tab): void {
    const weights = files.filter(isWeights);
    const pictures = files.filter((file) => !isWeights(file) && isPicture(file));
    if (weights.length > 0) this.#takers.get('weights')?.(weights);
    if (pictures.length > 0) this.#takers.get(tab)?.(pictures);
    if (weights.length + pictures.length === 0) this.#takers.get(otherwise)?.(files);
  }
}
