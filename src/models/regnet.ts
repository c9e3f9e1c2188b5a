/** RegNet X and Y. @see torchvision.models.regnet; arXiv:2003.13678 */

import type { Value } from '../graph/graph.ts';
import { ReLU } from '../nn/activation.ts';
import { BatchNorm2d } from '../nn/batchnorm.ts';
import { Sequential } from '../nn/container.ts';
import { flatten } from '../nn/functional.ts';
import { Linear } from '../nn/linear.ts';
import { type AnyModule, Module } from '../nn/module.ts';
import { AdaptiveAvgPool2d } from '../nn/pooling.ts';
import { add } from '../nn/same-shape.ts';
import { callable, whole, withDefaults } from '../options.ts';
import {
  type ActivationLayer,
  Conv2dNormActivation,
  checkedNorm,
  makeDivisible,
  type NormLayer,
  SqueezeExcitation,
} from './blocks.ts';

/** Options of the builders here, with torchvision's defaults. */
export interface RegNetOptions {
  /** 1000 unless given. */
  readonly numClasses?: number;
  /** The first convolution's channels; 32 unless given. */
  readonly stemWidth?: number;
  /** BatchNorm2d unless given. */
  readonly normLayer?: NormLayer;
  /** ReLU unless given. */
  readonly activation?: (options?: { readonly inplace?: boolean }) => Module;
}

/** What blocks have in common. */
interface Layers {
  readonly norm: NormLayer;
  readonly activation: NonNullable<RegNetOptions['activation']>;
  /** True for squeeze-and-excitation: RegNet Y. */
  readonly hasSe: boolean;
}

/** The first convolution. @see torchvision.models.regnet.SimpleStemIN */
class SimpleStemIN extends Conv2dNormActivation {}

/** Convolutions of 1×1, 3×3 in groups and 1×1. @see torchvision.models.regnet.BottleneckTransform */
class BottleneckTransform extends Sequential {
  constructor([input, out, stride, groupWidth]: readonly number[], { norm, activation, hasSe }: Layers) {
    const shared = { normLayer: norm, activationLayer: () => activation({ inplace: true }) };
    const groups = Math.floor(out! / groupWidth!);
    const items: [string, AnyModule][] = [
      ['a', new Conv2dNormActivation(input!, out!, { ...shared, kernelSize: 1 })],
      ['b', new Conv2dNormActivation(out!, out!, { ...shared, stride: stride!, groups })],
    ];
    if (hasSe) items.push(['se', new SqueezeExcitation(out!, roundHalfToEven(input! / 4), () => activation())]);
    items.push(['c', new Conv2dNormActivation(out!, out!, { ...shared, kernelSize: 1, activationLayer: null })]);
    super(items);
  }
}

/** A transform and a shortcut. @see torchvision.models.regnet.ResBottleneckBlock */
class ResBottleneckBlock extends Module {
  proj: Conv2dNormActivation | null;
  f: BottleneckTransform;
  activation: Module;

  constructor(sizes: readonly [input: number, out: number, stride: number, groupWidth: number], layers: Layers) {
    super();
    const [input, out, stride] = sizes;
    const shortcut = { kernelSize: 1, stride, normLayer: layers.norm, activationLayer: null };
    this.proj = input !== out || stride !== 1 ? new Conv2dNormActivation(input, out, shortcut) : null;
    this.f = new BottleneckTransform(sizes, layers);
    this.activation = layers.activation({ inplace: true });
  }

  forward(x: Value): Value {
    const shortcut = this.proj ? this.proj.call(x) : x;
    return this.activation.call(add(shortcut, this.f.call(x)));
  }
}

/** Blocks of one size. @see torchvision.models.regnet.AnyStage */
class AnyStage extends Sequential {}

/** The line that widths follow, which tells all of a network's stages. */
interface WidthLine {
  readonly depth: number;
  /** The width at the start. */
  readonly w0: number;
  /** The slope. */
  readonly wa: number;
  /** The ratio of one stage's width to the next one's. */
  readonly wm: number;
  readonly groupWidth: number;
}

/** Python's round: halves go to the even neighbour. */
function roundHalfToEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** The stages: widths quantised to powers of `wm`, multiples of 8, and then of the groups' width. */
function stagesOf({ depth, w0, wa, wm, groupWidth }: WidthLine) {
  const stages: { width: number; depth: number }[] = [];
  for (let i = 0; i < depth; i++) {
    const capacity = roundHalfToEven(Math.log((i * wa + w0) / w0) / Math.log(wm));
    const width = roundHalfToEven((w0 * wm ** capacity) / 8) * 8;
    const last = stages.at(-1);
    if (last?.width === width) last.depth++;
    else stages.push({ width, depth: 1 });
  }
  return stages.map((stage) => {
    const group = Math.min(groupWidth, stage.width);
    return { depth: stage.depth, width: makeDivisible(stage.width, group), group };
  });
}

/** Stages of bottlenecks whose widths follow a line. @see torchvision.models.RegNet */
export class RegNet extends Module {
  stem: Conv2dNormActivation;
  trunk_output: Sequential;
  avgpool: AdaptiveAvgPool2d;
  fc: Linear;

  /** @param hasSe true for squeeze-and-excitation: RegNet Y */
  constructor(line: WidthLine, hasSe: boolean, options: RegNetOptions = {}) {
    super();
    const { numClasses, stemWidth, normLayer, activation } = withDefaults('RegNet', options, {
      numClasses: 1000,
      stemWidth: 32,
      normLayer: (channels: number) => new BatchNorm2d(channels),
      activation: (given: { readonly inplace?: boolean } = {}) => new ReLU(given),
    });
    whole('RegNet: numClasses', numClasses);
    whole('RegNet: stemWidth', stemWidth);
    callable('RegNet: activation', activation);
    const layers = { norm: checkedNorm('RegNet', normLayer), activation, hasSe };
    const activationLayer: ActivationLayer = () => activation({ inplace: true });
    this.stem = new SimpleStemIN(3, stemWidth, { stride: 2, normLayer: layers.norm, activationLayer });
    let input = stemWidth;
    const stages = stagesOf(line).map(({ depth, width, group }, stage) => {
      const blocks = Array.from({ length: depth }, (_, i) => {
        const block = new ResBottleneckBlock([i === 0 ? input : width, width, i === 0 ? 2 : 1, group], layers);
        return [`block${stage + 1}-${i}`, block] as const;
      });
      input = width;
      return [`block${stage + 1}`, new AnyStage(blocks)] as const;
    });
    this.trunk_output = new Sequential(stages);
    this.avgpool = new AdaptiveAvgPool2d([1, 1]);
    this.fc = new Linear(input, numClasses);
  }

  forward(x: Value): Value {
    return this.fc.call(flatten(this.avgpool.call(this.trunk_output.call(this.stem.call(x)))));
  }
}

/** RegNetX of 400 MFLOP. */
export function regnet_x_400mf(options: RegNetOptions = {}): RegNet {
  return new RegNet({ depth: 22, w0: 24, wa: 24.48, wm: 2.54, groupWidth: 16 }, false, options);
}

/** RegNetX of 800 MFLOP. */
export function regnet_x_800mf(options: RegNetOptions = {}): RegNet {
  return new RegNet({ depth: 16, w0: 56, wa: 35.73, wm: 2.28, groupWidth: 16 }, false, options);
}

/** RegNetX of 1.6 GFLOP. */
export function regnet_x_1_6gf(options: RegNetOptions = {}): RegNet {
  return new RegNet({ depth: 18, w0: 80, wa: 34.01, wm: 2.25, groupWidth: 24 }, false, options);
}

/** RegNetX of 3.2 GFLOP. */
export function regnet_x_3_2gf(options: RegNetOptions = {}): RegNet {
  return new RegNet({ depth: 25, w0: 88, wa: 26.31, wm: 2.25, groupWidth: 48 }, false, options);
}

/** RegNetX of 8 GFLOP. */
export function regnet_x_8gf(options: RegNetOptions = {}): RegNet {
  return new RegNet({ depth: 23, w0: 80, wa: 49.56, wm: 2.88, groupWidth: 120 }, false, options);
}

/** RegNetX of 16 GFLOP. */
export function regnet_x_16gf(options: RegNetOptions = {}): RegNet {
  return new RegNet({ depth: 22, w0: 216, wa: 55.59, wm: 2.1, groupWidth: 128 }, false, options);
}

/** RegNetX of 32 GFLOP. */
export function regnet_x_32gf(options: RegNetOptions = {}): RegNet {
  return new RegNet({ depth: 23, w0: 320, wa: 69.86, wm: 2, groupWidth: 168 }, false, options);
}

/** RegNetY of 400 MFLOP. */
export function regnet_y_400mf(options: RegNetOptions = {}): RegNet {
  return new RegNet({ depth: 16, w0: 48, wa: 27.89, wm: 2.09, groupWidth: 8 }, true, options);
}

/** RegNetY of 800 MFLOP. */
export function regnet_y_800mf(options: RegNetOptions = {}): RegNet {
  return new RegNet({ depth: 14, w0: 56, wa: 38.84, wm: 2.4, groupWidth: 16 }, true, options);
}

/** RegNetY of 1.6 GFLOP. */
export function regnet_y_1_6gf(options: RegNetOptions = {}): RegNet {
  return new RegNet({ depth: 27, w0: 48, wa: 20.71, wm: 2.65, groupWidth: 24 }, true, options);
}

/** RegNetY of 3.2 GFLOP. */
export function regnet_y_3_2gf(options: RegNetOptions = {}): RegNet {
  return new RegNet({ depth: 21, w0: 80, wa: 42.63, wm: 2.66, groupWidth: 24 }, true, options);
}

/** RegNetY of 8 GFLOP. */
export function regnet_y_8gf(options: RegNetOptions = {}): RegNet {
  return new RegNet({ depth: 17, w0: 192, wa: 76.82, wm: 2.19, groupWidth: 56 }, true, options);
}

/** RegNetY of 16 GFLOP. */
export function regnet_y_16gf(options: RegNetOptions = {}): RegNet {
  return new RegNet({ depth: 18, w0: 200, wa: 106.23, wm: 2.48, groupWidth: 112 }, true, options);
}

/** RegNetY of 32 GFLOP. */
export function regnet_y_32gf(options: RegNetOptions = {}): RegNet {
  return new RegNet({ depth: 20, w0: 232, wa: 115.89, wm: 2.53, groupWidth: 232 }, true, options);
}

/** RegNetY of 128 GFLOP, made for inputs of 384×384. */
export function regnet_y_128gf(options: RegNetOptions = {}): RegNet {
  return new RegNet({ depth: 27, w0: 456, wa: 160.83, wm: 2.52, groupWidth: 264 }, true, options);
}
