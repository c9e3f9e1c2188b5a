/**
 * test/cases/zoo.json: every builder with its stages, and detectors' backbones, with generated parameters. The Python
 * side is scripts/goldens/zoo.py.
 */

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSafetensors, type SafetensorsFile } from '../../src/formats/safetensors-read.ts';
import { Value } from '../../src/graph/graph.ts';
import { Module } from '../../src/nn/module.ts';
import { numel, type Shape } from '../../src/tensor/shape.ts';
import { Tensor } from '../../src/tensor/tensor.ts';
import { buildBackbone } from './backbones.ts';
import { binaries } from './binaries.ts';
import { fillParameters, generatedTensor } from './generator.ts';
import { classesOf } from './model-cases.ts';
import { largest, worstDisagreement } from './tolerance.ts';

/** A line of the table. */
export interface ZooCase {
  readonly name: string;
  /** The model's file in src/models. */
  readonly family: string;
  readonly model: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly input: Shape;
  /** Paths of layers: the stages that `modelInfo` tells. */
  readonly taps: readonly string[];
  /**
   * What norms' weights are multiplied by; 1 unless given. Where a hundred residual blocks each make their sums larger,
   * squeezes saturate, and PyTorch's own float32 is 80 % off its float64.
   */
  readonly normScale?: number;
  /** Why the case isn't part of `npm test`. */
  readonly apart?: string;
}

/** What is known of a tap, or of an output, for one input. */
interface TapGolden {
  readonly input: 'noise' | 'page';
  readonly layer: string;
  readonly shape: Shape;
  readonly largest: number;
  readonly mean: number;
}

/** The table. */
export const zooCases = JSON.parse(
  readFileSync(new URL('../cases/zoo.json', import.meta.url), 'utf8'),
) as readonly ZooCase[];

/**
 * The part of a tap's largest absolute value by which it may be off. Rounding errors of up to 300 layers add up; each
 * layer's own are held to a derived bound in ops.test.ts.
 */
const RELATIVE = 1e-4;

/** The part of the pixels whose class has to be torchvision's: two classes may be equal to within rounding errors. */
const SAME_CLASSES = 0.9999;

/** A model that returns layers' outputs beside its own. */
class Tapped extends Module<Map<string, Value>> {
  model: Module<any>;
  readonly #taps = new Map<string, Value>();

  constructor(model: Module<any>, layers: readonly string[]) {
    super();
    this.model = model;
    for (const layer of layers) {
      model.getSubmodule(layer).registerForwardHook((_module, _inputs, output) => {
        this.#taps.set(layer, output as Value);
        return undefined;
      });
    }
  }

  forward(x: Value): Map<string, Value> {
    this.#taps.clear();
    const output: unknown = this.model.call(x);
    const outputs = output instanceof Value ? [['out', output] as const] : (output as Map<string, Value>);
    return new Map([...this.#taps, ...outputs]);
  }
}

/** Multiplies the norms' weights. */
function scaleNorms(model: Module<any>, scale: number): void {
  for (const [path, parameter] of model.namedParameters()) {
    if (parameter.shape.length !== 1 || !path.endsWith('weight')) continue;
    const values = parameter.values().map((value) => value * scale);
    parameter.tensor = new Tensor(values, parameter.shape);
  }
}

/** A white image and a black one with ImageNet's mean and deviation. */
function page(shape: Shape): Tensor<Float32Array> {
  const [mean, std] = [
    [0.485, 0.456, 0.406],
    [0.229, 0.224, 0.225],
  ] as const;
  const data = new Float32Array(numel(shape));
  const pixels = shape[2]! * shape[3]!;
  for (const [image, level] of [1, 0].entries()) {
    for (let c = 0; c < 3; c++)
      data.fill((level - mean[c]!) / std[c]!, (image * 3 + c) * pixels, (image * 3 + c + 1) * pixels);
  }
  return new Tensor(data, shape);
}

const inputOf = { noise: (shape: Shape) => generatedTensor('input', shape), page };

/** The most that each tap was off, as a part of what it may be off: what `npm run test:large` writes. */
export const results: Record<string, number> = {};

/** Checks a case's outputs for one input against its golden. */
function check(
  label: string,
  file: SafetensorsFile,
  input: 'noise' | 'page',
  outputs: ReadonlyMap<string, Tensor<Float32Array>>,
) {
  const goldens = (JSON.parse(file.metadata.get('taps')!) as TapGolden[]).filter((golden) => golden.input === input);
  expect([...outputs].map(([layer, { shape }]) => [layer, shape])).toEqual(goldens.map((g) => [g.layer, g.shape]));
  for (const golden of goldens) {
    const output = outputs.get(golden.layer)!;
    const bound = RELATIVE * golden.largest;
    const name = `${input} ${golden.layer}`;
    const samples = file.get(name).float().data;
    const sampled = samples.map((_, i) => output.data[Math.floor((i * output.numel()) / samples.length)]!);
    const worst = worstDisagreement(sampled, samples, () => bound);
    results[`${label} ${name}`] = Number(worst.ratio.toPrecision(3));
    expect(worst.ratio, `${name}: ${JSON.stringify(worst)}`).toBeLessThanOrEqual(1);
    expect(Math.abs(largest(output) - golden.largest), `${name}: largest`).toBeLessThanOrEqual(bound);
    const mean = output.data.reduce((sum, value) => sum + value, 0) / output.numel();
    expect(Math.abs(mean - golden.mean), `${name}: mean`).toBeLessThanOrEqual(bound);
  }
  if (input === 'noise' && file.tensors.has('classes')) {
    const expected = file.get('classes').data as Uint8Array;
    const classes = classesOf(outputs.get('out')!);
    const same = classes.reduce((count, c, i) => count + Number(c === expected[i]), 0);
    expect(same / expected.length).toBeGreaterThanOrEqual(SAME_CLASSES);
  }
}

/** Registers the tests of these cases. */
export function describeZoo(cases: readonly ZooCase[], compileOptions: object = {}): void {
  describe.each(cases)('$name', ({ name, model, options, input, taps, normScale = 1 }) => {
    let module: Tapped | null = null;
    beforeAll(() => {
      module = new Tapped(fillParameters(buildBackbone(model, options)), taps);
      if (normScale !== 1) scaleNorms(module, normScale);
    });
    // A case's values are let go before the next one's are made.
    afterAll(() => {
      module = null;
    });

    it.each(binaries)("gives torchvision's stages and output on noise and on pages in the %s binary", (binary) => {
      const file = readSafetensors(readFileSync(new URL(`../goldens/zoo/${name}.safetensors`, import.meta.url)));
      module!.compile({ ...compileOptions, deterministic: binary === 'simd' });
      for (const kind of ['noise', 'page'] as const)
        check(`${name}, ${binary}:`, file, kind, module!.call(inputOf[kind](input)));
      expect(module!.compiled!.binary).toBe(binary);
    });
  });
}

/** Registers the tests of a family. */
export function describeFamily(family: string): void {
  describeZoo(zooCases.filter((one) => one.family === family && one.apart === undefined));
}
