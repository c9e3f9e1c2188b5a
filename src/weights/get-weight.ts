/** Weights by the names that torchvision gives them. Who imports this ships all that is known of all of them. */

import { describe, KeyError } from '../errors.ts';
import { nearestNames, patternOf } from '../models/names.ts';
import * as catalogue from './catalogue.ts';
import { Weights, type WeightsEnum } from './weights.ts';

/** Each of the enums with its name, in the alphabetical order of their models. */
function enums(): [string, WeightsEnum][] {
  return Object.entries<WeightsEnum>(catalogue).sort(([, a], [, b]) => (a.DEFAULT.model < b.DEFAULT.model ? -1 : 1));
}

/**
 * The weights of a name with its enum's: `getWeight('ResNet50_Weights.IMAGENET1K_V2')`.
 *
 * @throws {@link KeyError} where there are none, with names that are most like it
 * @see torchvision.models.get_weight
 */
export function getWeight(name: string): Weights {
  return weightOf('getWeight', name);
}

function weightOf(caller: string, name: string): Weights {
  const all = new Map(enums());
  const [enumName = '', member = ''] = String(name).split('.');
  const found = all.get(enumName);
  const weights = found && memberOf(found, member);
  if (weights && name === `${enumName}.${member}`) return weights;
  const expected = found
    ? `one of ${enumName}: ${memberNames(found)}`
    : 'the name of weights, such as "ResNet50_Weights.DEFAULT"';
  throw new KeyError(
    `${caller}: expected ${expected}, got ${describe(name)}${found ? '' : wayTo(enumName, all.keys())}`,
  );
}

/**
 * A model's weights: `getModelWeights('resnet50').IMAGENET1K_V1`.
 *
 * @throws {@link KeyError} where the model isn't known, with those that are most like it
 * @see torchvision.models.get_model_weights
 */
export function getModelWeights(model: string): WeightsEnum {
  return enumOf('getModelWeights', model);
}

function enumOf(caller: string, model: string): WeightsEnum {
  const all = new Map(enums().map(([, one]) => [one.DEFAULT.model, one]));
  const found = all.get(model);
  if (found) return found;
  const way = typeof model === 'string' ? wayTo(model, all.keys()) : '';
  throw new KeyError(`${caller}: expected the name of one of ${all.size} models, got ${describe(model)}${way}`);
}

/**
 * All weights, or those of which a pattern fits the model's name or their own, in the alphabetical order of models:
 * `listWeights('resnet*')`, `listWeights('*SWAG*')`.
 *
 * @param pattern `*` stands for any characters, `?` for one, `[xy]` for one of some, `[!xy]` for one of all others
 */
export function listWeights(pattern = '*'): Weights[] {
  const fits = patternOf('listWeights', pattern);
  const all = enums().flatMap(([, one]) => Object.values(one));
  return all.filter((weights) => fits.test(weights.model) || fits.test(String(weights)));
}

/**
 * The weights that somebody means with a model: an own name (`DEFAULT`, `IMAGENET1K_V2`), a name with its enum's
 * (`ResNet50_Weights.DEFAULT`), or weights.
 *
 * @param caller the public function that was given them, for messages
 * @throws {@link KeyError} where the model has none of that name, with those that it has
 */
export function weightsOf(caller: string, model: string, weights: string | Weights): Weights {
  const found = enumOf(caller, model);
  const given = typeof weights === 'string' && weights.includes('.') ? weightOf(caller, weights) : weights;
  const expected = `${caller}: expected weights of ${model}: ${memberNames(found)}`;
  if (given instanceof Weights) {
    if (given.model === model) return given;
    throw new KeyError(`${expected}, got ${given} of ${given.model}`);
  }
  const own = memberOf(found, given);
  if (own) return own;
  throw new KeyError(`${expected}, got ${describe(given)}`);
}

/** One of a model's weights, `DEFAULT` included; undefined where there is none of that name. */
function memberOf(weights: WeightsEnum, name: string): Weights | undefined {
  return typeof name === 'string' && Object.hasOwn(weights, name) ? weights[name] : undefined;
}

function memberNames(weights: WeightsEnum): string {
  return ['DEFAULT', ...Object.keys(weights)].join(', ');
}

function wayTo(name: string, known: Iterable<string>): string {
  const near = nearestNames(name, [...known]);
  return near.length > 0 ? `; did you mean ${near.join(', ')}?` : '; listWeights() has them all';
}
