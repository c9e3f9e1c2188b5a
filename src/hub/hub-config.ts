/** What a repository's `config.json` says, as timm writes it now and as it wrote it before: checked, and no more. */

import { describe, FormatError, UnsupportedError } from '../errors.ts';
import { jsonOf } from '../formats/json.ts';
import { IMAGENET_MEAN, IMAGENET_STD } from '../image/presets.ts';
import type { InterpolationMode } from '../image/resize.ts';

/** What a repository says of its model. */
export interface HubConfig {
  /** timm's name: `'resnet50'`. */
  readonly architecture: string;
  readonly numClasses: number;
  /** The side of the square input that it was trained with. */
  readonly inputSize: number;
  /** The side of the square input that its published accuracy is of; that of training unless it says another. */
  readonly testInputSize: number;
  /** The part of a resized image's shorter side that the crop shows, in training. */
  readonly cropPct: number;
  /** As {@link cropPct}, where the published accuracy was measured. */
  readonly testCropPct: number;
  /** `'center'` keeps the aspect ratio, `'squash'` doesn't. */
  readonly cropMode: 'center' | 'squash';
  readonly interpolation: InterpolationMode;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** The classes' names by their numbers, where the repository has them. */
  readonly labels: readonly string[] | null;
  /** As the repository spells it, e.g. `'apache-2.0'`; null where it says none. */
  readonly license: string | null;
}

/** The most classes that a config may say: ImageNet-22k has 21,841. */
const MAX_CLASSES = 100_000;

/** The largest side of an input. timm's own are up to 1024; of a larger one, a small image takes gigabytes. */
const MAX_SIDE = 2048;

/** The least part of a resized image that a crop shows: nothing below 0.8 is in use. An image is resized by it. */
const LEAST_PART = 0.25;

/** Arguments of a model that change nothing in inference. */
const HARMLESS_ARGS = ['drop_rate', 'drop_path_rate', 'drop_block_rate', 'num_classes', 'pretrained'];

type Fields = Readonly<Record<string, unknown>>;

/**
 * The config that a file holds.
 *
 * @param where the file, for messages: `openHub: config.json of timm/resnet50.a1_in1k`
 * @throws {@link FormatError} naming the field that isn't as it should be
 * @throws {@link UnsupportedError} where a field asks for what layertap lacks
 */
export function parseHubConfig(where: string, bytes: Uint8Array): HubConfig {
  const config = parsedJson(where, bytes);
  const nested = config.pretrained_cfg;
  if (nested !== undefined && !isFields(nested)) throw wrong(where, 'pretrained_cfg', 'an object', nested);
  // Before timm 0.9 all was in one object.
  const pretrained = (nested ?? config) as Fields;
  const architecture = config.architecture;
  if (typeof architecture !== 'string' || architecture === '') {
    throw wrong(where, 'architecture', "timm's name of a model", architecture);
  }
  checkModelArgs(where, config);
  const numClasses = config.num_classes ?? pretrained.num_classes ?? 1000;
  if (!isWhole(numClasses, 0, MAX_CLASSES)) {
    throw wrong(where, 'num_classes', `a whole number from 0 to ${MAX_CLASSES}`, numClasses);
  }
  const inputSize = sideOf(where, 'input_size', pretrained.input_size ?? [3, 224, 224]);
  const cropPct = partOf(where, 'crop_pct', pretrained.crop_pct ?? 0.875);
  return {
    architecture,
    numClasses,
    inputSize,
    testInputSize:
      pretrained.test_input_size == null ? inputSize : sideOf(where, 'test_input_size', pretrained.test_input_size),
    cropPct,
    testCropPct: pretrained.test_crop_pct == null ? cropPct : partOf(where, 'test_crop_pct', pretrained.test_crop_pct),
    cropMode: oneOf(where, 'crop_mode', pretrained.crop_mode ?? 'center', ['center', 'squash'] as const),
    interpolation: oneOf(where, 'interpolation', pretrained.interpolation ?? 'bicubic', [
      'bilinear',
      'bicubic',
    ] as const),
    mean: channelsOf(where, 'mean', pretrained.mean ?? IMAGENET_MEAN),
    std: channelsOf(where, 'std', pretrained.std ?? IMAGENET_STD, true),
    labels: labelsOf(where, config.label_names ?? pretrained.label_names ?? pretrained.labels, numClasses),
    license: textOf(where, 'license', pretrained.license),
  };
}

function parsedJson(where: string, bytes: Uint8Array): Fields {
  const value = jsonOf(bytes);
  if (isFields(value)) return value;
  const got = new TextDecoder().decode(bytes.subarray(0, 40));
  throw new FormatError(`${where}: expected a JSON object, got a file that begins with ${describe(got)}`);
}

/** @throws {@link UnsupportedError} where the model was built by arguments that torchvision's has no equal of */
function checkModelArgs(where: string, config: Fields): void {
  const args = config.model_args ?? {};
  if (!isFields(args)) throw wrong(where, 'model_args', 'an object', args);
  const others = Object.entries(args).filter(([name, value]) => {
    if (HARMLESS_ARGS.includes(name)) return false;
    return !(name === 'in_chans' && value === 3) && !(name === 'global_pool' && value === 'avg');
  });
  const pool = config.global_pool;
  if (pool != null && pool !== 'avg' && pool !== '') others.push(['global_pool', pool]);
  if (others.length === 0) return;
  const got = others.slice(0, 8).map(([name, value]) => `${describe(name).slice(1, -1)} ${describe(value)}`);
  throw new UnsupportedError(`${where}: expected a model built by its name alone, got ${got.join(', ')}`);
}

function sideOf(where: string, field: string, value: unknown): number {
  if (!Array.isArray(value) || value.length !== 3 || ![...value].every((one) => isWhole(one, 1, MAX_SIDE))) {
    throw wrong(where, field, `[3, side, side] with sides up to ${MAX_SIDE}`, value);
  }
  const [channels, height, width] = value as [number, number, number];
  if (channels === 3 && height === width) return height;
  throw new UnsupportedError(`${where}: expected ${field} of 3 channels and a square, got ${describe(value)}`);
}

function partOf(where: string, field: string, value: unknown): number {
  if (typeof value === 'number' && value >= LEAST_PART && value <= 1) return value;
  throw wrong(where, field, `a number from ${LEAST_PART} to 1`, value);
}

function channelsOf(where: string, field: string, value: unknown, isDivisor = false): readonly number[] {
  const isRight = (one: unknown) => Number.isFinite(one) && (!isDivisor || Math.fround(one as number) > 0);
  if (Array.isArray(value) && value.length === 3 && [...value].every(isRight)) return [...value];
  throw wrong(where, field, `three numbers${isDivisor ? ' above 0' : ''}`, value);
}

function oneOf<T extends string>(where: string, field: string, value: unknown, known: readonly T[]): T {
  const found = known.find((one) => one === value);
  if (found !== undefined) return found;
  const expected = known.map((one) => `"${one}"`).join(' or ');
  throw new UnsupportedError(`${where}: expected ${field} ${expected}, got ${describe(value)}`);
}

/** The names in a list, or by numbers as text; those without one are ''. */
function labelsOf(where: string, value: unknown, numClasses: number): readonly string[] | null {
  if (value == null || numClasses === 0) return null;
  const fault = () => wrong(where, 'label_names', `names of ${numClasses} classes`, value);
  if (Array.isArray(value) && value.length > numClasses) throw fault();
  const keys = typeof value === 'object' ? Object.keys(value) : [];
  const labels = new Array<string>(numClasses).fill('');
  for (const key of keys) {
    const label = (value as Fields)[key];
    if (!isWhole(Number(key), 0, numClasses - 1) || typeof label !== 'string') throw fault();
    labels[Number(key)] = label;
  }
  return keys.length > 0 ? labels : null;
}

function textOf(where: string, field: string, value: unknown): string | null {
  if (value == null || value === '') return null;
  if (typeof value === 'string' && value.length <= 200) return value;
  throw wrong(where, field, 'a short text', value);
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isWhole(value: unknown, least: number, most: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;
}

function wrong(where: string, field: string, expected: string, value: unknown): FormatError {
  return new FormatError(`${where}: expected ${field} as ${expected}, got ${describe(value)}`);
}
