/** Weights of the Hugging Face hub: `hub:timm/resnet18.tv_in1k`, with `@REVISION` where it isn't `main`. */

import { LayertapError } from 'layertap';
import { openHub } from 'layertap/hub';
import { cachesOf } from './cache.js';
import { HUB } from './choices.js';
import { CommandError, UsageError } from './failures.js';
import { warn } from './print.js';
import { isUrl, withoutSecrets } from './secrets.js';
import { checkPublicServer } from './server.js';

/**
 * Opens a repository: its config says the model and what is done to a photo. What Python has downloaded is looked into
 * first, then what was read before. HF_ENDPOINT names a mirror, and HF_TOKEN is the token, as in Python.
 *
 * @param {string} text
 * @param {import('./weight-source.js').SourceOptions & { option: string }} options
 * @returns {Promise<import('./weight-source.js').WeightSource>}
 * @throws {UsageError} where options of the model are given, which the config tells, or `--hub-endpoint` is no server
 * @throws {CommandError} where there is no such repository, or its model isn't one of torchvision's
 */
export async function hubSource(text, { option, model, modelOptions = {}, hubEndpoint, cache }) {
  if (Object.keys(modelOptions).length > 0) {
    throw new UsageError('expected --model-options with a file, got them with hub:');
  }
  const label = `${option} ${text}`.trimStart();
  // What comes before an @ there may be a password.
  const named = text.slice(HUB.length);
  if (named.includes('://') || isUrl(named)) {
    const shown = `${option} ${HUB}${withoutSecrets(named)}`.trimStart();
    throw new CommandError(`${shown}: expected hub:OWNER/NAME, got a URL; --hub-endpoint is a mirror's`);
  }
  const [repo = '', revision] = named.split('@');
  const { HF_ENDPOINT, HF_TOKEN } = process.env;
  if (hubEndpoint !== undefined) checkPublicServer('--hub-endpoint', hubEndpoint);
  else if (HF_ENDPOINT) checkPublicServer('HF_ENDPOINT', HF_ENDPOINT);
  const caches = cachesOf(cache).hub;
  let hub;
  try {
    hub = await openHub(repo, {
      revision,
      endpoint: hubEndpoint ?? (HF_ENDPOINT || undefined),
      token: HF_TOKEN || undefined,
      ...caches,
      // A mirror that is named has files of its own.
      ...(hubEndpoint !== undefined && { local: undefined }),
      onWarning: (message) => warn(message.replace(/^openHub: /, '')),
    });
  } catch (error) {
    if (!(error instanceof LayertapError)) throw error;
    const said = error.message
      .replace('pass token', 'set HF_TOKEN')
      .replace('openWeights reads a pytorch_model.bin', '--weights takes the URL of a pytorch_model.bin');
    throw new CommandError(`${label}: ${said.replace(/^openHub: /, '')}`);
  }
  const { name, preset, transforms, labels, weights, close } = hub;
  if (model !== undefined && model !== name) {
    await close();
    throw new CommandError(`--model: expected ${name}, as ${text} is, or none, got ${model}`);
  }
  return {
    ...{ label, model: name, modelOptions: {}, categories: labels },
    preparation: { name: text, isWhole: false, prepare: transforms, recipe: recipeOf(preset) },
    build: () => hub.model,
    async open({ key, prefix }) {
      if (key !== undefined || prefix !== undefined) {
        throw new UsageError('expected --weights-key and --weights-prefix with a file or a URL, got them with a name');
      }
      /** @type {import('layertap').OpenedWeights['load']} */
      const load = async (names = weights.tensors.keys(), reading = {}) => {
        const tensors = new Map();
        for await (const [key, tensor] of weights.stream(names, reading)) tensors.set(key, tensor);
        return tensors;
      };
      return { ...weights, format: 'safetensors', load, close };
    },
  };
}

/**
 * @param {import('layertap/hub').HubPreset} preset
 * @returns {import('./weight-source.js').Recipe}
 */
function recipeOf({ cropMode, ...options }) {
  return { preset: cropMode === 'center' ? 'imageClassification' : 'squash', options };
}
