/** Models with auxiliary heads: a state dict with heads that the model lacks, or without its own, says why. */

import { listed, StateDictError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import type { IncompatibleKeys, LoadStateDictAsyncOptions } from '../nn/load-state-dict.ts';
import { Module } from '../nn/module.ts';
import type { StateDictLike } from '../nn/state-dict.ts';
import type { TensorStream } from '../tensor/tensor-stream.ts';

/** A classifier that training hangs into the midst of a network, and that doesn't run in eval mode. */
export abstract class TrainingHead extends Module {
  /** @internal */
  isTrainOnly(): boolean {
    return true;
  }
}

/** A model whose auxiliary heads an option decides about. */
export abstract class WithAux<Out = Value> extends Module<Out> {
  /** The first head's name, and the option. */
  protected abstract auxiliary(): readonly [head: string, option: string];

  /** @internal The option that makes heads which the model was built without, too. */
  override pathHint(paths: readonly string[]): string {
    const heads = new Set(paths.map((path) => path.split('.')[0]!));
    const absent = [...heads].filter((name) => Reflect.get(this, name) === null);
    const way = absent.length > 0 ? `; the option ${this.auxiliary()[1]} decides about ${listed(absent)}` : '';
    return super.pathHint(paths) + way;
  }

  override loadStateDict(stateDict: StateDictLike, options: { readonly strict?: boolean } = {}): IncompatibleKeys {
    try {
      return super.loadStateDict(stateDict, options);
    } catch (error) {
      throw this.#explained(error);
    }
  }

  override async loadStateDictAsync(
    file: TensorStream,
    options: LoadStateDictAsyncOptions = {},
  ): Promise<IncompatibleKeys> {
    try {
      return await super.loadStateDictAsync(file, options);
    } catch (error) {
      throw this.#explained(error);
    }
  }

  /** The error, with the option where it lists keys of the head. */
  #explained(error: unknown): unknown {
    const [head, option] = this.auxiliary();
    if (!(error instanceof StateDictError) || !error.message.includes(` "${head}.`)) return error;
    const hasHead = Reflect.get(this, head) !== null;
    return new StateDictError(
      `${error.message}\n\tThe option ${option} decides about keys of "${head}": ` +
        `this model has ${option}: ${hasHead}, the state dict is one of ${option}: ${!hasHead}.`,
    );
  }
}
