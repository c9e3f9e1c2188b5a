/** A parameter as a value, for ops that take it as one of their inputs. */

import type { Parameter } from '../tensor/parameter.ts';
import { rawConstant } from './lowering/host.ts';
import { fromPlanes } from './lowering/planes.ts';
import type { Op } from './op.ts';
import { usualAxis } from './rules/axes.ts';

/** Attributes of {@link parameterValue}. */
export interface ParameterValueAttrs {
  readonly parameter: Parameter;
}

/** The parameter's values, as they are when the plan is bound. It has no inputs. */
export const parameterValue: Op<ParameterValueAttrs> = {
  name: 'get_attr',
  parameters: ({ parameter }) => [parameter],
  axis: ({ parameter }) => usualAxis(parameter.shape),
  inferShape: (_inputs, { parameter }) => parameter.shape,
  reference: (_inputs, { parameter }) => parameter.tensor.float(),
  algorithms: [
    {
      name: 'copy',
      prepare({ attrs }) {
        const constant = rawConstant(attrs.parameter);
        return {
          constants: [constant],
          phases: ({ output, addressOf }) => [fromPlanes(addressOf(constant), output)],
        };
      },
    },
  ],
};
