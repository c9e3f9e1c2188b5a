/**
 * What `--weights` names: a file, a URL, torchvision's weights by their name, or a repository of the Hugging Face hub.
 * From the latter two follow the model, its options, what is done to a photo, and the classes' names.
 */

import { existsSync } from 'node:fs';
import { LayertapError, openWeights } from 'layertap';
import {
  categoriesOf,
  getModelWeights,
  getWeight,
  licenseNotice,
  modelOptionsOf,
  openPretrained,
} from 'layertap/weights';
import { cachesOf } from './cache.js';
import { FULL_NAME, HUB } from './choices.js';
import { CommandError, UsageError } from './failures.js';
import { hubSource } from './hub.js';
import { attempted } from './models.js';
import { warn } from './print.js';
import { isUrl, withoutSecrets } from './secrets.js';
import { checkServer } from './server.js';

/** Names the server that torchvision's weights are read from, in place of torchvision's own. */
const MIRROR = 'LAYERTAP_MIRROR';

/** As many bytes of a header as safetensors allows: who names a file on a command line trusts it so far. */
export const MAX_HEADER_BYTES = 100_000_000;

/** @typedef {import('./weight-source.js').OpenSource} OpenSource */
/** @typedef {import('./weight-source.js').SourceOptions} SourceOptions */
/** @typedef {import('./weight-source.js').WeightSource} WeightSource */

/**
 * What a text names. A file of a name that stands for something else is meant by `./NAME`.
 *
 * @param {string} text
 * @param {SourceOptions} [options]
 * @returns {Promise<WeightSource>}
 * @throws {UsageError} where a name needs a model
 * @throws {CommandError} where there are no weights of that name
 */
export async function sourceOf(text, options = {}) {
  const { option = '--weights', model, hubEndpoint, cache } = options;
  if (text.startsWith(HUB)) return hubSource(text, { ...options, option });
  if (hubEndpoint !== undefined) throw new UsageError('expected --hub-endpoint with hub:OWNER/NAME, got it without');
  if (isUrl(text)) return urlSource(text, option, cache);
  if (/^\s*[a-z][\w+.-]+:\/\//i.test(text)) {
    const named = `${option} ${withoutSecrets(text)}`.trimStart();
    throw new CommandError(`${named}: expected a file or an http:// or https:// URL, got a URL of another scheme`);
  }
  if (FULL_NAME.test(text) || /^[A-Z][A-Z0-9_]*$/.test(text)) return namedSource(text, option, { model, cache });
  const label = `${option} ${text}`.trimStart();
  const near = existsSync(text) ? [] : namesLike(text, model);
  if (near.length > 0) {
    const got = 'expected a readable file, got "no such file or directory"';
    throw new CommandError(`${label}: ${got}; did you mean ${near.join(', ')}?`);
  }
  return { label, path: text, modelOptions: {}, categories: null };
}

/**
 * Names of torchvision's weights that a text is most like, where it isn't one: `ResNet18_Weight.DEFAULT`, `default` of
 * a model.
 *
 * @param {string} text
 * @param {string | undefined} model
 * @returns {string[]}
 */
function namesLike(text, model) {
  const own = text.toUpperCase();
  if (model !== undefined && attempted(() => weightsOf(own, '', model)) === null) return [own];
  const [, name, member = ''] = /^([\w-]+)(?:\.(\w+))?$/.exec(text) ?? [];
  if (name === undefined) return [];
  const said = attempted(() => getWeight(`${name}.${member}`)) ?? '';
  const near = /; did you mean (.*)\?$/.exec(said)?.[1].split(', ') ?? [];
  const upper = member.toUpperCase();
  return near.map((one) => `${one}.${attempted(() => getWeight(`${one}.${upper}`)) === null ? upper : 'DEFAULT'}`);
}

/**
 * @param {string} url
 * @param {string} option
 * @param {SourceOptions['cache']} cache
 * @returns {WeightSource}
 */
function urlSource(url, option, cache) {
  const label = `${option} ${withoutSecrets(url)}`.trimStart();
  if (!URL.canParse(url)) throw new CommandError(`${label}: expected a URL, got one that can't be parsed`);
  return {
    ...{ label, modelOptions: {}, categories: null },
    async open({ key, prefix }) {
      const { fileOf } = cachesOf(cache);
      /** @type {(() => Promise<void>)[]} */
      const closers = [];
      const opened = async (/** @type {string} */ place) => {
        const { source, close } = await fileOf(place);
        closers.push(close);
        return source;
      };
      const close = async () => {
        for (const one of closers) await one();
      };
      try {
        const file = await openWeights(await opened(url), {
          ...{ key, prefix, maxHeaderBytes: MAX_HEADER_BYTES },
          // An index's shards are its neighbours, and are cached as it is.
          shard: (name) => opened(new URL(name, url).href),
        });
        return { ...file, close: () => file.close().finally(close) };
      } catch (error) {
        await close();
        throw error;
      }
    },
  };
}

/**
 * @param {string} text
 * @param {string} option
 * @param {Pick<SourceOptions, 'model' | 'cache'>} options
 * @returns {WeightSource}
 */
function namedSource(text, option, { model, cache }) {
  if (!text.includes('.') && model === undefined) {
    throw new UsageError(`expected --model with ${`${option} ${text}`.trimStart()}, got none`);
  }
  const weights = weightsOf(text, option, model);
  const notice = licenseNotice(weights);
  if (notice !== null) warn(notice);
  const transforms = weights.transforms();
  const { transformInput } = modelOptionsOf(weights);
  return {
    label: `${option} ${weights}`.trimStart(),
    model: weights.model,
    // Auxiliary heads are what a command makes of them.
    modelOptions: transformInput === undefined ? {} : { transformInput },
    preparation: {
      name: String(weights),
      isWhole: transforms.preset === 'semanticSegmentation',
      prepare: transforms,
    },
    categories: categoriesOf(weights),
    open({ key, prefix, whole = false }) {
      if (key !== undefined || prefix !== undefined) {
        throw new UsageError('expected --weights-key and --weights-prefix with a file or a URL, got them with a name');
      }
      const mirror = process.env[MIRROR] || undefined;
      if (mirror !== undefined) checkServer(MIRROR, mirror);
      return openPretrained(weights, { mirror, checkHash: whole || undefined, ...cachesOf(cache).torch });
    },
  };
}

/**
 * @param {string} text
 * @param {string} option
 * @param {string | undefined} model
 * @returns {import('layertap/weights').Weights}
 */
function weightsOf(text, option, model) {
  try {
    const own = model === undefined ? undefined : getModelWeights(model);
    const weights = getWeight(text.includes('.') ? text : `${String(own?.DEFAULT).split('.')[0]}.${text}`);
    if (model === undefined || weights.model === model) return weights;
    throw new CommandError(`${option || text}: expected weights of ${model}, got ${weights} of ${weights.model}`);
  } catch (error) {
    if (!(error instanceof LayertapError)) throw error;
    const message = error.message.replace('listWeights()', 'npx layertap-cli weights');
    const label = option === '' ? '' : `${option}: `;
    throw new CommandError(message.replace(/^getModelWeights: /, '--model: ').replace(/^getWeight: /, label));
  }
}

/**
 * The options with the model that the weights name, where none was given, and with the options that go with them.
 *
 * @template {{ model?: string | undefined, modelOptions: Record<string, unknown> }} Options
 * @param {Options} options
 * @param {WeightSource} source
 * @returns {Options & { model: string }}
 * @throws {UsageError} where neither names a model
 */
export function withModel(options, source) {
  const model = options.model ?? source.model;
  if (model === undefined) throw new UsageError("required option '--model <name>' not specified");
  return { ...options, model, modelOptions: { ...source.modelOptions, ...options.modelOptions } };
}
