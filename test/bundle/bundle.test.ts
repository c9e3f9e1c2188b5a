/** What `npm run test:bundle` relies on: the network whose bits it compares, and the table of its last run. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Graph } from '../../src/graph/graph.ts';
import * as layertap from '../../src/index.ts';
import { conv2d } from '../../src/ops/conv2d/conv2d.ts';
import { CompiledModel } from '../../src/plan/compiled-model.ts';
import { Plan } from '../../src/plan/plan.ts';
import { everyKernel, oddInput } from './networks.mjs';
import { pageWithTable } from './table.mjs';

describe('the network of every kernel', () => {
  const x = oddInput(layertap);

  it('has every algorithm of convolution', () => {
    const graph = new Graph([x.shape]);
    const outputs = [...everyKernel(layertap).forward(graph.inputs[0]!).values()];
    const plan = new Plan(graph.program(outputs), new CompiledModel({ deterministic: true }).engine);
    const used = new Set(plan.steps.filter(({ op }) => op === 'conv2d').map(({ algorithm }) => algorithm));
    const all = conv2d.algorithms.map(({ name }) => name);
    expect([...used].sort()).toEqual(all.sort());
  });

  it('carries NaNs and infinities beside an image of ordinary values', () => {
    const half = x.data.length / 2;
    expect(x.data.subarray(0, half).every(Number.isFinite)).toBe(true);
    expect(x.data.subarray(half).filter(Number.isNaN).length).toBeGreaterThan(0);
    expect(x.data.subarray(half).filter((value: number) => Math.abs(value) === Infinity).length).toBeGreaterThan(0);
  });
});

describe('the table of docs/runtimes.md', () => {
  it('is that of the last run: npm run test:bundle -- --write', () => {
    expect(readFileSync('docs/runtimes.md', 'utf8')).toBe(pageWithTable());
  });
});
