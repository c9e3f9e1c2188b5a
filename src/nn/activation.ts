/** Activations. `inplace` is kept for printing: a plan never overwrites a value that is still read. */

import { ShapeError, ValueError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { finite, flag, whole, withDefaults } from '../options.ts';
import { Parameter } from '../tensor/parameter.ts';
import {
  celu,
  elu,
  type GELUOptions,
  gelu,
  hardsigmoid,
  hardswish,
  hardtanh,
  leakyRelu,
  logSoftmax,
  mish,
  prelu,
  relu,
  relu6,
  selu,
  sigmoid,
  silu,
  softmax,
  softplus,
  tanh,
} from './functional.ts';
import { Layer } from './layer.ts';
import { float } from './repr.ts';
import { shapeOf } from './value-shape.ts';

/** Options of activations. */
export interface ActivationOptions {
  readonly inplace?: boolean;
}

/** What activations with the option `inplace` share. */
abstract class InplaceActivation extends Layer {
  inplace: boolean;

  constructor(options: ActivationOptions = {}) {
    super();
    const { name } = new.target;
    this.inplace = flag(`${name}: inplace`, withDefaults(name, options, { inplace: false }).inplace);
  }

  protected override extraRepr(): string {
    return this.inplace ? 'inplace=True' : '';
  }
}

/** max(0, x). @see torch.nn.ReLU */
export class ReLU extends InplaceActivation {
  forward(x: Value): Value {
    return relu(x);
  }
}

/** min(max(0, x), 6). @see torch.nn.ReLU6 */
export class ReLU6 extends InplaceActivation {
  forward(x: Value): Value {
    return relu6(x);
  }
}

/** x·relu6(x + 3) / 6. @see torch.nn.Hardswish */
export class Hardswish extends InplaceActivation {
  forward(x: Value): Value {
    return hardswish(x);
  }

  /** Nothing: PyTorch prints no options here. */
  protected override extraRepr(): string {
    return '';
  }
}

/** relu6(x + 3) / 6. @see torch.nn.Hardsigmoid */
export class Hardsigmoid extends InplaceActivation {
  forward(x: Value): Value {
    return hardsigmoid(x);
  }

  /** Nothing: PyTorch prints no options here. */
  protected override extraRepr(): string {
    return '';
  }
}

/** x / (1 + e⁻ˣ). @see torch.nn.SiLU */
export class SiLU extends InplaceActivation {
  forward(x: Value): Value {
    return silu(x);
  }
}

/** x·Φ(x), of the normal distribution's Φ. @see torch.nn.GELU */
export class GELU extends Layer {
  approximate: 'none' | 'tanh';

  constructor(options: GELUOptions = {}) {
    super();
    this.approximate = withDefaults('GELU', options, { approximate: 'none' as const }).approximate;
  }

  forward(x: Value): Value {
    return gelu(x, { approximate: this.approximate });
  }

  protected override extraRepr(): string {
    return `approximate='${this.approximate}'`;
  }
}

/** x, and negativeSlope·x where it is negative. @see torch.nn.LeakyReLU */
export class LeakyReLU extends InplaceActivation {
  negativeSlope: number;

  constructor(negativeSlope = 0.01, options: ActivationOptions = {}) {
    super(options);
    this.negativeSlope = finite('LeakyReLU: negativeSlope', negativeSlope);
  }

  forward(x: Value): Value {
    return leakyRelu(x, this.negativeSlope);
  }

  /** Its options, as PyTorch prints them. */
  protected override extraRepr(): string {
    return [`negative_slope=${float(this.negativeSlope)}`, ...(this.inplace ? ['inplace=True'] : [])].join(', ');
  }
}

/** x, and alpha·(eˣ − 1) where it is negative. @see torch.nn.ELU */
export class ELU extends InplaceActivation {
  alpha: number;

  constructor(alpha = 1, options: ActivationOptions = {}) {
    super(options);
    this.alpha = finite('ELU: alpha', alpha);
  }

  forward(x: Value): Value {
    return elu(x, this.alpha);
  }

  /** Its options, as PyTorch prints them. */
  protected override extraRepr(): string {
    return [`alpha=${float(this.alpha)}`, ...(this.inplace ? ['inplace=True'] : [])].join(', ');
  }
}

/** max(0, x) + min(0, alpha·(e^(x / alpha) − 1)). @see torch.nn.CELU */
export class CELU extends InplaceActivation {
  alpha: number;

  constructor(alpha = 1, options: ActivationOptions = {}) {
    super(options);
    this.alpha = finite('CELU: alpha', alpha);
  }

  forward(x: Value): Value {
    return celu(x, this.alpha);
  }

  /** Its options, as PyTorch prints them. */
  protected override extraRepr(): string {
    return [`alpha=${float(this.alpha)}`, ...(this.inplace ? ['inplace=True'] : [])].join(', ');
  }
}

/** ELU with the numbers that keep mean and deviation. @see torch.nn.SELU */
export class SELU extends InplaceActivation {
  forward(x: Value): Value {
    return selu(x);
  }
}

/** x·tanh(softplus(x)). @see torch.nn.Mish */
export class Mish extends InplaceActivation {
  forward(x: Value): Value {
    return mish(x);
  }
}

/** The hyperbolic tangent. @see torch.nn.Tanh */
export class Tanh extends Layer {
  forward(x: Value): Value {
    return tanh(x);
  }
}

/** ln(1 + e^(beta·x)) / beta, and x where beta·x is above the threshold. @see torch.nn.Softplus */
export class Softplus extends Layer {
  beta: number;
  threshold: number;

  constructor(beta = 1, threshold = 20) {
    super();
    this.beta = finite('Softplus: beta', beta);
    this.threshold = finite('Softplus: threshold', threshold);
  }

  forward(x: Value): Value {
    return softplus(x, this.beta, this.threshold);
  }

  protected override extraRepr(): string {
    return `beta=${this.beta}, threshold=${this.threshold}`;
  }
}

/** min(max(x, minVal), maxVal). @see torch.nn.Hardtanh */
export class Hardtanh extends InplaceActivation {
  minVal: number;
  maxVal: number;

  /** @throws {@link ValueError} where maxVal isn't above minVal */
  constructor(minVal = -1, maxVal = 1, options: ActivationOptions = {}) {
    super(options);
    this.minVal = finite('Hardtanh: minVal', minVal);
    this.maxVal = finite('Hardtanh: maxVal', maxVal);
    if (!(maxVal > minVal)) {
      throw new ValueError(`Hardtanh: expected maxVal above minVal, got minVal ${minVal} and maxVal ${maxVal}`);
    }
  }

  forward(x: Value): Value {
    return hardtanh(x, this.minVal, this.maxVal);
  }

  /** Its options, as PyTorch prints them. */
  protected override extraRepr(): string {
    const limits = `min_val=${float(this.minVal)}, max_val=${float(this.maxVal)}`;
    return this.inplace ? `${limits}, inplace=True` : limits;
  }
}

/** What softmax layers share. */
abstract class AlongAxis extends Layer {
  dim: number | null;

  /** @param dim the axis; unless given 0 of one or three axes and 1 of others, as in PyTorch */
  constructor(dim: number | null = null) {
    super();
    this.dim = dim === null ? null : whole(`${new.target.name}: dim`, dim, -64);
  }

  /** The axis for a value, counted from the first or the last. */
  protected axisOf(x: Value): number {
    const { length } = shapeOf(this.constructor.name, x);
    return this.dim ?? (length === 0 || length === 1 || length === 3 ? 0 : 1);
  }

  protected override extraRepr(): string {
    return `dim=${this.dim ?? 'None'}`;
  }
}

/** e^x by its sum along an axis. @see torch.nn.Softmax */
export class Softmax extends AlongAxis {
  forward(x: Value): Value {
    return softmax(x, this.axisOf(x));
  }
}

/** The logarithm of softmax. @see torch.nn.LogSoftmax */
export class LogSoftmax extends AlongAxis {
  forward(x: Value): Value {
    return logSoftmax(x, this.axisOf(x));
  }
}

/** Softmax over the channels of `[N, C, H, W]` or `[C, H, W]`. @see torch.nn.Softmax2d */
export class Softmax2d extends Layer {
  forward(x: Value): Value {
    const { length } = shapeOf('Softmax2d', x);
    if (length !== 3 && length !== 4) {
      throw new ShapeError(`Softmax2d requires a 3D or 4D tensor as input; got ${length}D input`);
    }
    return softmax(x, -3);
  }
}

/** Options of {@link PReLU}, with PyTorch's defaults. */
export interface PReLUOptions {
  /** As the first argument. */
  readonly numParameters?: number;
  /** All slopes until a state dict is loaded; 0.25 unless given. */
  readonly init?: number;
}

/** x, and x·weight where x is negative. @see torch.nn.PReLU */
export class PReLU extends Layer {
  /** `[numParameters]` */
  weight: Parameter;
  numParameters: number;

  /** @param first 1 for one slope for all channels, otherwise the number of channels; or all options */
  constructor(first: number | PReLUOptions = {}, others: PReLUOptions = {}) {
    super();
    const options = typeof first === 'object' ? first : { ...others, numParameters: first };
    const { numParameters, init } = withDefaults('PReLU', options, { numParameters: 1, init: 0.25 });
    this.numParameters = whole('PReLU: numParameters', numParameters);
    this.weight = new Parameter([numParameters], { fill: finite('PReLU: init', init) });
  }

  forward(x: Value): Value {
    return prelu(x, this.weight);
  }

  protected override extraRepr(): string {
    return `num_parameters=${this.numParameters}`;
  }
}

/** 1 / (1 + e⁻ˣ). @see torch.nn.Sigmoid */
export class Sigmoid extends Layer {
  forward(x: Value): Value {
    return sigmoid(x);
  }
}
