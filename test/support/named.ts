/**
 * Layers and functional forms by PyTorch's names, as the tables of cases have them, and by how much their results may
 * be off, as the tables say it. The Python side is scripts/goldens/named.py.
 */

import type { Value } from '../../src/graph/graph.ts';
import * as layertap from '../../src/index.ts';
import { Module } from '../../src/nn/module.ts';
import { roundingBound, sumBound } from './tolerance.ts';

/** What PyTorch calls something, and what a case calls it with. */
export interface Named {
  /** `torch.nn.Conv2d` or `torch.nn.functional.relu`. */
  readonly torch: string;
  /** A layer's arguments, or a function's after its tensors; none unless given. */
  readonly args?: readonly any[] | undefined;
  /** layertap's own. */
  readonly options?: any;
  /** Given where a function wants its tensors in an array. */
  readonly takes?: 'a list';
}

/** A functional form as a module. */
class Functional extends Module {
  readonly #record: (inputs: readonly Value[]) => Value;

  constructor(record: (inputs: readonly Value[]) => Value) {
    super();
    this.#record = record;
  }

  forward(...inputs: Value[]): Value {
    return this.#record(inputs);
  }
}

/** The layer, or a module that calls the functional form. @throws what a layer's constructor does */
export function moduleOf({ torch, args = [], options = {}, takes }: Named): Module {
  const name = torch.slice(torch.lastIndexOf('.') + 1);
  const all = Object.keys(options).length > 0 ? [...args, options] : args;
  if (/^[A-Z]/.test(name)) {
    const Layer = (layertap as any)[name] as new (...args: unknown[]) => Module;
    return new Layer(...all);
  }
  const camelCase = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const form = (layertap.functional as any)[camelCase] as (...args: unknown[]) => Value | readonly Value[];
  return new Functional((inputs) => {
    const y = form(...(takes ? [inputs] : inputs), ...all);
    // Of several values the last.
    return Array.isArray(y) ? y.at(-1) : (y as Value);
  });
}

/** By how much a result may be off. */
export type BoundRule =
  /** Nothing: what only moves or compares numbers, or rounds once. */
  | 'none'
  /** A sum of products, of which there are as many as the op says, or of the pixels of a window. */
  | { readonly sumOf: 'products' | 'pixels' }
  | {
      readonly roundings: number;
      /** What rounds: numbers as large as the largest input, that or 1, or each output's Σ|term|. */
      readonly of: '|x|' | '1 or |x|' | 'terms';
      /** Options that a case has; for others nothing may be off. */
      readonly where?: Readonly<Record<string, unknown>>;
    };

/** What a {@link BoundRule} is about. */
export interface Bounded {
  readonly options: any;
  /** How many products one output adds up. */
  readonly products: () => number;
  /** How many pixels a window has. */
  readonly pixels?: number;
  /** The largest absolute value of the inputs. */
  readonly largest: () => number;
}

/** By how much a number may be off; `magnitude` gives its Σ|term| and is asked only where that counts. */
export function boundBy(rule: BoundRule, { options, ...of }: Bounded): (magnitude: () => number) => number {
  if (rule === 'none') return () => 0;
  if ('sumOf' in rule) {
    // One more for the bias.
    const terms = rule.sumOf === 'pixels' ? of.pixels! : of.products() + 1;
    return (magnitude) => sumBound(terms, magnitude());
  }
  const { roundings, where = {} } = rule;
  if (Object.entries(where).some(([name, value]) => options?.[name] !== value)) return () => 0;
  if (rule.of === 'terms') return (magnitude) => roundingBound(roundings, magnitude());
  const bound = roundingBound(roundings, rule.of === '|x|' ? of.largest() : Math.max(1, of.largest()));
  return () => bound;
}
