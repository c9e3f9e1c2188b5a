/** Normalization layers that compute their statistics of each input. */

import { describe, ValueError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { finite, flag, whole, withDefaults } from '../options.ts';
import { Parameter } from '../tensor/parameter.ts';
import type { Shape } from '../tensor/shape.ts';
import { groupNorm, type LocalResponseNormOptions, layerNorm, localResponseNorm } from './functional.ts';
import { Layer } from './layer.ts';
import { bool, float } from './repr.ts';

/** Options of {@link LayerNorm}, with PyTorch's defaults. */
export interface LayerNormOptions {
  /** Added to the variance; 1e-5 unless given. */
  readonly eps?: number;
  /** False for neither weight nor bias. */
  readonly elementwiseAffine?: boolean;
}

/** Layer norm over the last axes. @see torch.nn.LayerNorm */
export class LayerNorm extends Layer {
  /** Of the shape of the axes that are normalized; so is the bias. */
  weight: Parameter | null;
  bias: Parameter | null;
  normalizedShape: Shape;
  eps: number;
  elementwiseAffine: boolean;

  /** @param normalizedShape the sizes of the last axes, or of the last one */
  constructor(normalizedShape: number | Shape, options: LayerNormOptions = {}) {
    super();
    const { eps, elementwiseAffine } = withDefaults('LayerNorm', options, { eps: 1e-5, elementwiseAffine: true });
    const shape: unknown = typeof normalizedShape === 'number' ? [normalizedShape] : normalizedShape;
    if (!Array.isArray(shape) || shape.length === 0) {
      throw new ValueError(`LayerNorm: expected normalizedShape as sizes of axes, got ${describe(normalizedShape)}`);
    }
    this.normalizedShape = [...shape].map((size) => whole('LayerNorm: normalizedShape', size));
    this.eps = finite('LayerNorm: eps', eps);
    this.elementwiseAffine = flag('LayerNorm: elementwiseAffine', elementwiseAffine);
    this.weight = elementwiseAffine ? new Parameter(this.normalizedShape, { fill: 1 }) : null;
    this.bias = elementwiseAffine ? new Parameter(this.normalizedShape, { fill: 0 }) : null;
  }

  forward(x: Value): Value {
    const { normalizedShape, weight, bias, eps } = this;
    return layerNorm(x, normalizedShape, { weight, bias, eps });
  }

  protected override extraRepr(): string {
    const { normalizedShape: shape, eps, elementwiseAffine } = this;
    const sizes = `(${shape.join(', ')}${shape.length === 1 ? ',' : ''})`;
    return `${sizes}, eps=${float(eps)}, elementwise_affine=${bool(elementwiseAffine)}`;
  }
}

/** Options of {@link GroupNorm}, with PyTorch's defaults. */
export interface GroupNormOptions {
  /** Added to the variance; 1e-5 unless given. */
  readonly eps?: number;
  /** False for neither weight nor bias. */
  readonly affine?: boolean;
}

/** Norm over groups of channels. @see torch.nn.GroupNorm */
export class GroupNorm extends Layer {
  weight: Parameter | null;
  bias: Parameter | null;
  numGroups: number;
  numChannels: number;
  eps: number;
  affine: boolean;

  /** @throws {@link ValueError} where groups don't divide the channels, in PyTorch's words */
  constructor(numGroups: number, numChannels: number, options: GroupNormOptions = {}) {
    super();
    const { eps, affine } = withDefaults('GroupNorm', options, { eps: 1e-5, affine: true });
    this.numGroups = whole('GroupNorm: numGroups', numGroups);
    this.numChannels = whole('GroupNorm: numChannels', numChannels);
    if (numChannels % numGroups !== 0) {
      throw new ValueError(
        `num_channels must be divisible by num_groups; GroupNorm: got ${numChannels} channels, ${numGroups} groups`,
      );
    }
    this.eps = finite('GroupNorm: eps', eps);
    this.affine = flag('GroupNorm: affine', affine);
    this.weight = affine ? new Parameter([numChannels], { fill: 1 }) : null;
    this.bias = affine ? new Parameter([numChannels], { fill: 0 }) : null;
  }

  forward(x: Value): Value {
    const { numGroups, weight, bias, eps } = this;
    return groupNorm(x, numGroups, { weight, bias, eps });
  }

  protected override extraRepr(): string {
    const { numGroups, numChannels, eps, affine } = this;
    return `${numGroups}, ${numChannels}, eps=${float(eps)}, affine=${bool(affine)}`;
  }
}

/** Local response norm over neighbouring channels. @see torch.nn.LocalResponseNorm */
export class LocalResponseNorm extends Layer {
  size: number;
  alpha: number;
  beta: number;
  k: number;

  /** @param size channels that count, the value's own in their middle */
  constructor(size: number, options: LocalResponseNormOptions = {}) {
    super();
    const { alpha, beta, k } = withDefaults('LocalResponseNorm', options, { alpha: 1e-4, beta: 0.75, k: 1 });
    this.size = whole('LocalResponseNorm: size', size);
    this.alpha = finite('LocalResponseNorm: alpha', alpha);
    this.beta = finite('LocalResponseNorm: beta', beta);
    this.k = finite('LocalResponseNorm: k', k);
  }

  forward(x: Value): Value {
    const { size, alpha, beta, k } = this;
    return localResponseNorm(x, size, { alpha, beta, k });
  }

  protected override extraRepr(): string {
    const { size, alpha, beta, k } = this;
    return `${size}, alpha=${float(alpha)}, beta=${float(beta)}, k=${float(k)}`;
  }
}
