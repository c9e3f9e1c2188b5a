/**
 * The memory budget. Speed costs memory: Winograd's weights take up to four times a plain convolution's. So that a layer's algorithm
 * depends on the module, its shapes and the options, and never on taps or threads, a budget becomes one number, the price of a
 * byte: the least at which the whole module fits. Whatever is asked of the module, every layer is then chosen at that price.
 */

import type { Program } from '../graph/graph.ts';
import type { WeightStorage } from '../ops/op.ts';
import { BYTE_PRICE, COST_ENGINE, costOf, fittingAlgorithms } from './cost.ts';
import { Plan, sitesOf } from './plan.ts';

/**
 * The least price of a byte at which a plan of `program` takes at most `bytes`; infinite where even the smallest takes more.
 *
 * @param program of the whole module
 */
export function priceWithin(bytes: number, program: Program, weightStorage: WeightStorage): number {
  const fits = (bytePrice: number) => new Plan(program, COST_ENGINE, { weightStorage, bytePrice }).memoryBytes <= bytes;
  if (fits(BYTE_PRICE)) return BYTE_PRICE;
  const prices = pricesOf(program, weightStorage);
  let [low, high] = [0, prices.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (fits(prices[middle]!)) high = middle;
    else low = middle + 1;
  }
  return prices[low] ?? Infinity;
}

/** The prices above the usual one at which a node takes another algorithm than before, in ascending order. */
function pricesOf(program: Program, weightStorage: WeightStorage): number[] {
  const prices = new Set<number>();
  for (const { algorithms, site } of sitesOf(program, COST_ENGINE, weightStorage)) {
    const costs = fittingAlgorithms(algorithms, site).map((algorithm) => costOf(algorithm, site));
    for (const larger of costs) {
      for (const smaller of costs) {
        // At this price both cost the same; a little above it, the smaller one is chosen.
        const price = ((smaller.ms - larger.ms) / (larger.bytes - smaller.bytes)) * (1 + 1e-9);
        if (larger.bytes > smaller.bytes && price > BYTE_PRICE) prices.add(price);
      }
    }
  }
  return [...prices].sort((a, b) => a - b);
}
