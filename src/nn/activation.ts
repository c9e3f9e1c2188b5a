/** Activations. `inplace` is kept for printing: a plan never overwrites a value that is still read. */

import type { Value } from '../graph/graph.ts';
import { finite, flag, whole, withDefaults } from '../options.ts';
import { Parameter } from '../tensor/parameter.ts';
import { type GELUOptions, gelu, hardsigmoid, hardswish, prelu, relu, relu6, sigmoid, silu } from './functional.ts';
import { Layer } from './layer.ts';

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
    return `approximate=${this.approximate}`;
  }
}

/** Options of {@link PReLU}, with PyTorch's defaults. */
export interface PReLUOptions {
  /** 1 for one slope for all channels, otherwise the number of channels. */
  readonly numParameters?: number;
  /** All slopes until a state dict is loaded; 0.25 unless given. */
  readonly init?: number;
}

/** x, and x·weight where x is negative. @see torch.nn.PReLU */
export class PReLU extends Layer {
  /** `[numParameters]` */
  weight: Parameter;
  numParameters: number;

  constructor(options: PReLUOptions = {}) {
    super();
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
