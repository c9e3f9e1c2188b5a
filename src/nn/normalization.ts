/** Normalization layers that compute their statistics of each input. */

import { describe, ValueError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { finite, flag, whole, withDefaults } from '../options.ts';
import { Parameter } from '../tensor/parameter.ts';
import type { Shape } from '../tensor/shape.ts';
import { layerNorm } from './functional.ts';
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
