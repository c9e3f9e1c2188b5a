/** MNASNet. @see torchvision.models.mnasnet; arXiv:1807.11626 */

import { ValueError } from '../errors.ts';
import type { StageHints } from '../features/stages.ts';
import type { Value } from '../graph/graph.ts';
import { ReLU } from '../nn/activation.ts';
import { BatchNorm2d } from '../nn/batchnorm.ts';
import { Sequential } from '../nn/container.ts';
import { Conv2d, type Conv2dOptions } from '../nn/conv.ts';
import { Dropout } from '../nn/dropout.ts';
import { mean } from '../nn/functional.ts';
import { Linear } from '../nn/linear.ts';
import { type AnyModule, Module } from '../nn/module.ts';
import { add } from '../nn/same-shape.ts';
import { finite, whole, withDefaults } from '../options.ts';
import { makeDivisible } from './blocks.ts';

/** Options of the builders here, with torchvision's defaults. */
export interface MNASNetOptions {
  /** 1000 unless given. */
  readonly numClasses?: number;
  /** 0.2 unless given; it has no part in inference. */
  readonly dropout?: number;
}

/** A convolution without bias and its norm. */
const normed = (channels: number, out: number, kernelSize: number, options: Conv2dOptions = {}) => [
  new Conv2d(channels, out, kernelSize, { padding: Math.floor(kernelSize / 2), ...options, bias: false }),
  // torchvision's: PyTorch's form of the paper's 0.9997, to the last bit, because it is printed.
  new BatchNorm2d(out, { momentum: 1 - 0.9997 }),
];

const relu = () => new ReLU({ inplace: true });

/** Widens, filters depthwise, narrows. @see torchvision.models.mnasnet._InvertedResidual */
class _InvertedResidual extends Module {
  layers: Sequential;
  applyResidual: boolean;

  constructor(channels: number, out: number, [kernelSize, stride, expansion]: readonly [number, number, number]) {
    super();
    const between = channels * expansion;
    this.applyResidual = channels === out && stride === 1;
    this.layers = new Sequential(
      ...normed(channels, between, 1),
      relu(),
      ...normed(between, between, kernelSize, { stride, groups: between }),
      relu(),
      ...normed(between, out, 1),
    );
  }

  forward(x: Value): Value {
    return this.applyResidual ? add(this.layers.call(x), x) : this.layers.call(x);
  }
}

/** Kernel, stride of the first, expansion and repeats of each stack. */
const STACKS = [
  [3, 2, 3, 3],
  [5, 2, 3, 3],
  [5, 2, 6, 3],
  [3, 1, 6, 2],
  [5, 2, 6, 4],
  [3, 1, 6, 1],
] as const;

function stack(channels: number, out: number, [kernelSize, stride, expansion, repeats]: (typeof STACKS)[number]) {
  return new Sequential(
    new _InvertedResidual(channels, out, [kernelSize, stride, expansion]),
    ...Array.from({ length: repeats - 1 }, () => new _InvertedResidual(out, out, [kernelSize, 1, expansion])),
  );
}

/** The layers before the stacks, and the first stack. */
function stem(first: number, second: number, third: number): AnyModule[] {
  return [
    ...normed(3, first, 3, { stride: 2 }),
    relu(),
    ...normed(first, first, 3, { groups: first }),
    relu(),
    ...normed(first, second, 1),
    stack(second, third, STACKS[0]),
  ];
}

const DEPTHS = [32, 16, 24, 40, 80, 96, 192, 320];

/** Stacks of inverted residuals. @see torchvision.models.MNASNet */
export class MNASNet extends Module {
  layers: Sequential;
  classifier: Sequential;
  alpha: number;
  numClasses: number;
  #version = 2;

  /**
   * @param alpha scales the channels
   * @throws {@link ValueError} where `alpha` isn't above 0, in torchvision's words
   */
  constructor(alpha: number, options: MNASNetOptions = {}) {
    super();
    const { numClasses, dropout } = withDefaults('MNASNet', options, { numClasses: 1000, dropout: 0.2 });
    if (finite('MNASNet: alpha', alpha) <= 0) {
      throw new ValueError(`alpha should be greater than 0.0 instead of ${alpha}`);
    }
    this.alpha = alpha;
    this.numClasses = whole('MNASNet: numClasses', numClasses);
    const depths = DEPTHS.map((depth) => makeDivisible(depth * alpha, 8));
    this.layers = new Sequential(
      ...stem(depths[0]!, depths[1]!, depths[2]!),
      ...STACKS.slice(1).map((row, i) => stack(depths[i + 2]!, depths[i + 3]!, row)),
      ...normed(depths[7]!, 1280, 1),
      relu(),
    );
    this.classifier = new Sequential(new Dropout(dropout, { inplace: true }), new Linear(1280, numClasses));
  }

  protected override get version(): number {
    return this.#version;
  }

  /**
   * The stem of torchvision's first version had the same channels for every `alpha`. Where the first weight of a state
   * dict is that one's, the stem becomes that one and stays so, as in torchvision. torchvision asks the state dict's
   * metadata, which safetensors files don't have.
   */
  protected override olderKeys(given: ReadonlyMap<string, unknown>, prefix: string): [] {
    const first = given.get(`${prefix}layers.0.weight`) as { readonly shape?: readonly number[] } | undefined;
    const own = (this.layers.at(0) as Conv2d).outChannels;
    if (first?.shape?.[0] === DEPTHS[0] && own !== DEPTHS[0]) {
      const layers = stem(DEPTHS[0]!, DEPTHS[1]!, makeDivisible(DEPTHS[2]! * this.alpha, 8));
      for (const [i, layer] of layers.entries()) this.layers.set(i, layer);
      this.#version = 1;
    }
    return [];
  }

  /** @internal */
  get stageHints(): StageHints {
    return { headLayers: 3 };
  }

  forward(x: Value): Value {
    return this.classifier.call(mean(this.layers.call(x), [2, 3]));
  }
}

/** MNASNet with half of the channels. */
export function mnasnet0_5(options: MNASNetOptions = {}): MNASNet {
  return new MNASNet(0.5, options);
}

/** MNASNet with three quarters of the channels. */
export function mnasnet0_75(options: MNASNetOptions = {}): MNASNet {
  return new MNASNet(0.75, options);
}

/** MNASNet-B1. */
export function mnasnet1_0(options: MNASNetOptions = {}): MNASNet {
  return new MNASNet(1, options);
}

/** MNASNet with 1.3 times the channels. */
export function mnasnet1_3(options: MNASNetOptions = {}): MNASNet {
  return new MNASNet(1.3, options);
}
