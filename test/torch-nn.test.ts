/** docs/torch-nn.md says of each class of torch.nn whether it is there, and is right. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { IntermediateLayerGetter } from '../src/features/intermediate-layer-getter.ts';
import * as layertap from '../src/index.ts';
import { Module } from '../src/nn/module.ts';

const page = readFileSync(new URL('../docs/torch-nn.md', import.meta.url), 'utf8');

const named = (text: string) => [...text.matchAll(/`(\w+)`/g)].map(([, name]) => name!);

/** The rows of the table of classes. */
const rows = [...page.matchAll(/^\| (`.*?) \| (there|not) \| (.*?) \| (.*) \|$/gm)].map(([, classes, state, form]) => ({
  classes: named(classes!),
  isThere: state === 'there',
  forms: named(form!),
}));

const exported = layertap as unknown as Readonly<Record<string, unknown>>;
const there = rows.filter(({ isThere }) => isThere).flatMap(({ classes }) => classes);

describe('the table of torch.nn', () => {
  it('has each class once', () => {
    const all = rows.flatMap(({ classes }) => classes);
    expect(all.length).toBeGreaterThan(160);
    expect(all.filter((name, i) => all.indexOf(name) !== i)).toEqual([]);
  });

  it('tells of classes that are exported, and of functional forms that are', () => {
    expect(there.filter((name) => typeof exported[name] !== 'function')).toEqual([]);
    const missing = rows.filter(({ isThere }) => !isThere).flatMap(({ classes }) => classes);
    expect(missing.filter((name) => name in exported)).toEqual([]);
    const forms = rows.flatMap((row) => row.forms);
    expect(forms.filter((name) => !(name in layertap.functional))).toEqual([]);
  });

  it("misses none of the package's layers, and the page none of its functions", () => {
    const others = new Set<unknown>([
      IntermediateLayerGetter,
      layertap.FeatureExtractor,
      layertap.FeatureListNet,
      layertap.Layer,
      ...Object.values(layertap.models),
    ]);
    const isLayer = (of: unknown) => typeof of === 'function' && of.prototype instanceof Module && !others.has(of);
    const layers = Object.keys(exported).filter((name) => isLayer(exported[name]));
    // Not torch's, but on the page.
    const elsewhere = ['FrozenBatchNorm2d', 'DropPath'];
    expect(layers.filter((name) => !there.includes(name) && !elsewhere.includes(name))).toEqual([]);
    const words = named(page);
    expect([...elsewhere, ...Object.keys(layertap.functional)].filter((name) => !words.includes(name))).toEqual([]);
  });
});
