/** What the layers of torch.nn have in common: each is one node of a model, whatever it consists of. */

import { Module } from './module.ts';

/**
 * A module that is one node of a model: what it computes inside has no names of its own. Derive from this class instead
 * of {@link Module} for a layer of your own whose inner steps nobody asks for.
 *
 * @see torch.fx.Tracer.is_leaf_module, which is true of the classes of torch.nn but Sequential
 */
export abstract class Layer extends Module {
  override isLeaf(): boolean {
    return true;
  }
}
