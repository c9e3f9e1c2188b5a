import { describe, expect, it } from 'vitest';
import { imageClassification, semanticSegmentation } from '../../src/image/presets.ts';
import { expectSame, goldens, synthetic } from './synthetic.ts';

const presets = { imageClassification, semanticSegmentation };

describe('presets', () => {
  it.each(
    goldens.presets.map((golden) => [`${golden.preset} ${golden.from} ${JSON.stringify(golden.options)}`, golden]),
  )("equal torchvision's bit for bit: %s", (_, golden) => {
    const x = presets[golden.preset](synthetic(golden.kind, ...golden.from), golden.options);
    expect(x.shape).toEqual(golden.shape);
    expectSame(x.data, golden);
  });
});
