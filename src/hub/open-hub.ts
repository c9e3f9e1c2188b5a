/** Models of the Hugging Face hub that timm wrote: config first, then the bytes of the layers that are kept. */

import { describe, FormatError, NetworkError, UnsupportedError, ValueError } from '../errors.ts';
import { type FeatureName, IntermediateLayerGetter, type ReturnLayers } from '../features/intermediate-layer-getter.ts';
import type { Origin } from '../formats/byte-source.ts';
import { isCommit } from '../formats/commit.ts';
import { HTTP_DEFAULTS, type HttpOptions, type HttpSettings } from '../formats/http-origin.ts';
import { inFile } from '../formats/in-file.ts';
import { checkCallable, checkOpenSettings, MAX_HEADER_BYTES, READ_DEFAULTS } from '../formats/open-options.ts';
import { type FileSource, openOrigin } from '../formats/open-origin.ts';
import { openedSafetensors } from '../formats/open-safetensors.ts';
import { cachedSource, checkCache, type RangeCache } from '../formats/range-cache.ts';
import { HEAD_BYTES, readRange } from '../formats/read-range.ts';
import { shown, withoutSecrets } from '../formats/secrets.ts';
import type { Image } from '../image/image.ts';
import type { ModelName } from '../models/registry.ts';
import type { AnyModule } from '../nn/module.ts';
import { flag, withDefaults } from '../options.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { LoadProgress, TensorStream } from '../tensor/tensor-stream.ts';
import { buildArchitecture } from './architectures.ts';
import { type HubConfig, parseHubConfig } from './hub-config.ts';
import { type HubPreset, prepareImage, presetOf } from './hub-preset.ts';
import { renamedTensors } from './renamed-tensors.ts';

/** Files of repositories that are on this machine already. */
export interface LocalHub {
  /** A file of a repository at a revision; null where it isn't here. */
  open(repo: string, revision: string, file: string): PromiseLike<LocalHubFile | null>;
}

/** An opened file of a {@link LocalHub}. */
export interface LocalHubFile {
  readonly source: Exclude<FileSource, string | URL>;
  /** The commit that the revision stood for. */
  readonly commit: string;
  /** Lets go of the file. */
  close(): PromiseLike<void>;
}

/** Options of {@link openHub}. */
export interface OpenHubOptions extends Omit<HttpOptions, 'headers'> {
  /** A branch, tag or commit; `main` unless given. */
  readonly revision?: string | undefined;
  /** The address of a mirror; `https://huggingface.co` unless given. */
  readonly endpoint?: string | undefined;
  /** An access token. It is sent to the endpoint alone, not to where that redirects to. */
  readonly token?: string | undefined;
  /** Keeps the parts of files that were read. */
  readonly cache?: RangeCache | undefined;
  /** Asked before the network is, e.g. `huggingFaceCache()` of `layertap/node`. */
  readonly local?: LocalHub | undefined;
  /**
   * Told of a license that excludes commercial use, before any weights are read: console.warn unless given. Throw in it
   * to go no further; with null nothing is told.
   */
  readonly onWarning?: ((message: string) => void) | null | undefined;
  /**
   * True, unless given, for the preset that the published accuracy was measured with; false for training's, as
   * `timm.data.resolve_model_data_config` gives it.
   */
  readonly useTestSize?: boolean | undefined;
  /** Ends the reading. */
  readonly signal?: AbortSignal | undefined;
  /** As in openSafetensors. */
  readonly maxGapBytes?: number | undefined;
  /** As in openSafetensors. */
  readonly maxReadBytes?: number | undefined;
}

/** What is known of a model of the hub. */
export interface HubFacts {
  readonly repo: string;
  /** The commit of all files, or the revision as given where the hub doesn't tell. */
  readonly revision: string;
  /** torchvision's name of the model. */
  readonly name: ModelName;
  readonly config: HubConfig;
  /** The classes' names by their numbers, where the repository has them. */
  readonly labels: readonly string[] | null;
  /** As the hub spells it; null where it isn't known. */
  readonly license: string | null;
  readonly preset: HubPreset;
  /** The network's input, float32 `[1, 3, H, W]`, of an image: the preset, bit-equal to timm's on a PIL image. */
  readonly transforms: (image: Image) => Tensor<Float32Array>;
}

/** An opened repository. */
export interface OpenedHub extends HubFacts {
  /** Without weights: `await model.loadStateDictAsync(weights)`, or a getter's or extractor's of it. */
  readonly model: AnyModule;
  /** The file's tensors with the model's names and shapes. */
  readonly weights: TensorStream;
  /** Lets go of files and connections. */
  close(): Promise<void>;
}

/** Options of {@link fromHub}. */
export interface FromHubOptions<Name extends FeatureName = FeatureName> extends OpenHubOptions {
  /** Layers by torchvision's paths, with the names of their features: then a getter of them is returned. */
  readonly returnLayers?: ReturnLayers<Name> | undefined;
  /** Called whenever bytes of weights have arrived. */
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
}

/** A model of the hub with its weights. */
export interface HubModel extends HubFacts {
  readonly model: AnyModule;
}

/** A getter of a model of the hub, with the weights of the layers that it kept. */
export interface HubGetter<Name extends FeatureName> extends HubFacts {
  readonly getter: IntermediateLayerGetter<Name>;
}

const ENDPOINT = 'https://huggingface.co';

/** The most bytes of a config: labels of 22,000 classes take 2 MB. */
const MAX_CONFIG_BYTES = 4 * 2 ** 20;

/** Licenses that exclude commercial use. */
const NON_COMMERCIAL = /(^|[^a-z])nc([^a-z]|$)|non-?commercial/i;

/** Weights of semi-supervised-ImageNet1K-models, whose older configs don't say their license. */
const UNSAID = /\.fb_(ssl|swsl|wsl)_/;

const DEFAULTS = {
  ...{ revision: 'main', endpoint: ENDPOINT, token: undefined, cache: undefined, local: undefined },
  ...{ onWarning: console.warn as ((message: string) => void) | null, useTestSize: true },
  ...READ_DEFAULTS,
  ...{ fetch: undefined, retries: HTTP_DEFAULTS.retries, retryDelayMs: HTTP_DEFAULTS.retryDelayMs },
  stallTimeoutMs: HTTP_DEFAULTS.stallTimeoutMs,
};

/**
 * A repository of timm's on the Hugging Face hub, opened: the model that its config asks for, without weights, and its
 * weights with the model's names, of which no more is read than what is asked for.
 *
 * @param repo e.g. `'timm/resnet50.a1_in1k'`
 * @throws {@link UnsupportedError} where torchvision has no such architecture, naming it
 * @throws {@link FormatError} where config or weights aren't as they should be, or there are none in safetensors
 * @throws {@link NetworkError} where the hub refuses, saying what may help
 */
export function openHub(repo: string, options: OpenHubOptions = {}): Promise<OpenedHub> {
  return opened('openHub', repo, options);
}

/**
 * A getter of a model of timm's on the Hugging Face hub, with weights and preset:
 *
 *     const { getter, transforms } = await fromHub('timm/resnet50.a1_in1k', { returnLayers: { layer4: 'out' } });
 *     const features = getter.forward(transforms(image));
 *
 * Of the weights, only the kept layers' bytes are read. Without `returnLayers` the whole model is returned.
 *
 * @param repo e.g. `'timm/resnet50.a1_in1k'`
 * @throws as {@link openHub}, and as {@link IntermediateLayerGetter}
 */
export async function fromHub<Name extends FeatureName>(
  repo: string,
  options: FromHubOptions<Name> & { readonly returnLayers: ReturnLayers<Name> },
): Promise<HubGetter<Name>>;
/** As above, where strings and numbers are features in one list: TypeScript infers no union of them. */
export async function fromHub(
  repo: string,
  options: FromHubOptions & { readonly returnLayers: ReturnLayers },
): Promise<HubGetter<FeatureName>>;
/** As above, of the whole model. */
export async function fromHub(repo: string, options?: FromHubOptions): Promise<HubModel>;
/** The implementation. */
export async function fromHub(repo: string, options: FromHubOptions<any> = {}): Promise<HubModel | HubGetter<any>> {
  const known = { ...DEFAULTS, returnLayers: undefined, onProgress: undefined };
  const { returnLayers, onProgress, ...rest } = withDefaults('fromHub', options, known);
  checkCallable('fromHub', 'onProgress', onProgress);
  const { model, weights, close, ...facts } = await opened('fromHub', repo, rest);
  try {
    const loaded = returnLayers === undefined ? model : new IntermediateLayerGetter<any>(model, returnLayers);
    if (facts.config.numClasses === 0 && returnLayers === undefined) {
      throw new UnsupportedError(
        `fromHub: expected a model with a classifier, got ${repo} without one; pass returnLayers`,
      );
    }
    await loaded.loadStateDictAsync(weights, { signal: rest.signal, onProgress });
    return returnLayers === undefined ? { ...facts, model } : { ...facts, getter: loaded as IntermediateLayerGetter };
  } finally {
    await close();
  }
}

/** Opens config and weights. @param caller the public function, for messages */
async function opened(caller: string, repo: string, options: OpenHubOptions): Promise<OpenedHub> {
  const settings = withDefaults(caller, options, DEFAULTS);
  checkOpenSettings(caller, { ...settings, headers: undefined });
  flag(`${caller}: useTestSize`, settings.useTestSize);
  if (settings.onWarning !== null) checkCallable(caller, 'onWarning', settings.onWarning);
  const repository = new Repository(caller, repo, settings);
  const where = `${caller}: config.json of ${repo}`;
  const file = await repository.open('config.json');
  let bytes: Uint8Array;
  try {
    bytes = await repository.told('config.json', readRange(file.origin, 0, MAX_CONFIG_BYTES + 1, settings.signal));
  } finally {
    await file.close();
  }
  if (bytes.length > MAX_CONFIG_BYTES) {
    throw new FormatError(`${where}: expected at most ${MAX_CONFIG_BYTES} bytes, got more`);
  }
  const config = parseHubConfig(where, bytes);
  const { name, model, rename } = buildArchitecture(caller, config.architecture, Math.max(1, config.numClasses));
  const license = config.license ?? (UNSAID.test(repo) ? 'cc-by-nc-4.0' : null);
  if (license !== null && NON_COMMERCIAL.test(license)) {
    settings.onWarning?.(`${caller}: ${repo} is licensed under ${license}, which excludes commercial use`);
  }
  const weightsFile = await repository.open('model.safetensors');
  try {
    const { origin } = weightsFile;
    const { signal } = settings;
    const head = await repository.told('model.safetensors', readRange(origin, 0, HEAD_BYTES, signal));
    const reading = { origin, head, maxHeaderBytes: MAX_HEADER_BYTES, signal };
    const weights = await openedSafetensors(caller, reading, settings)
      .then((file) => renamedTensors(caller, file, rename, model.stateShapes()))
      .catch((error: unknown) => {
        throw inFile(origin.name, error);
      });
    const preset = presetOf(config, settings.useTestSize);
    return {
      ...{ repo, revision: repository.revision, name, config, labels: config.labels, license, preset, model },
      transforms: (image) => prepareImage(image, preset),
      weights,
      close: () => weightsFile.close(),
    };
  } catch (error) {
    await weightsFile.close();
    throw error;
  }
}

/** A file that is being read. */
interface OpenFile {
  readonly origin: Origin;
  close(): Promise<void>;
}

type Settings = Required<Pick<OpenHubOptions, 'revision' | 'endpoint'>> &
  Pick<OpenHubOptions, 'token' | 'cache' | 'local' | 'signal'> &
  Omit<HttpSettings, 'headers'>;

/** The files of a repository, all of one commit where the hub tells which. */
class Repository {
  /** As given, or the commit once it is known. */
  revision: string;
  readonly #caller: string;
  readonly #repo: string;
  readonly #endpoint: URL;
  readonly #settings: Settings;
  readonly #http: HttpSettings;
  /** What the hub says is wrong, in its own words. */
  #errorCode: string | null = null;
  /** The other host that refused, where the hub had led to one. */
  #elsewhere: string | null = null;

  /** @throws {@link ValueError} where an option isn't what it is called */
  constructor(caller: string, repo: string, settings: Settings) {
    const { revision, endpoint, token, cache, local } = settings;
    if (typeof repo !== 'string' || !/^(?!.*\.\.)\w[\w.-]{0,95}\/\w[\w.-]{0,95}$/.test(repo)) {
      const got = describe(typeof repo === 'string' ? withoutSecrets(repo) : repo);
      throw new ValueError(`${caller}: expected a repository such as "timm/resnet50.a1_in1k", got ${got}`);
    }
    // What git allows in names of branches, so that it is no path to elsewhere.
    if (typeof revision !== 'string' || !/^(?!.*\.\.)[\w][\w./+-]{0,255}$/.test(revision)) {
      throw new ValueError(`${caller}: expected revision as a branch, tag or commit, got ${describe(revision)}`);
    }
    if (token !== undefined && (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token))) {
      throw new ValueError(`${caller}: expected token as a text without spaces, got another`);
    }
    if (cache !== undefined) checkCache(caller, cache);
    if (local !== undefined && typeof local?.open !== 'function') {
      throw new ValueError(`${caller}: expected local as { open }, got ${describe(local)}`);
    }
    this.#caller = caller;
    this.#repo = repo;
    this.revision = revision;
    this.#endpoint = parsedEndpoint(caller, endpoint);
    this.#settings = settings;
    this.#http = {
      ...settings,
      fetch: this.#observing(settings.fetch ?? globalThis.fetch),
      headers: token === undefined ? undefined : { authorization: `Bearer ${token}` },
    };
  }

  /** Opens a file. Over HTTP nothing is requested yet, unless there is a cache. */
  async open(file: string): Promise<OpenFile> {
    const { cache, local, signal } = this.#settings;
    const http = this.#http;
    const found = await local?.open(this.#repo, this.revision, file);
    if (found) {
      this.#setCommit(found.commit);
      return this.#held(found.source, async () => found.close());
    }
    const { origin, pathname } = this.#endpoint;
    const base = `${origin}${pathname.replace(/\/$/, '')}`;
    const url = `${base}/${this.#repo}/resolve/${encodeURIComponent(this.revision)}/${file}`;
    let source: FileSource = url;
    let close = async () => {};
    if (cache) {
      const identity = isCommit(this.revision) ? this.revision : null;
      const cached = await this.told(file, cachedSource(this.#caller, url, { cache, identity, http, signal }));
      source = cached ?? url;
      close = cached?.close ?? close;
    }
    return this.#held(source, close);
  }

  /** The file of a source. @param close lets go of the source, at once where it can't be read */
  async #held(source: FileSource, close: () => Promise<void>): Promise<OpenFile> {
    try {
      const origin = await openOrigin(this.#caller, source, this.#http);
      return { origin, close: () => origin.close().finally(close) };
    } catch (error) {
      await close();
      throw error;
    }
  }

  /** The result, or what a refusal of the hub's means. */
  async told<T>(file: string, result: Promise<T>): Promise<T> {
    try {
      return await result;
    } catch (error) {
      if (!(error instanceof NetworkError) || error.status === undefined) throw error;
      throw this.#refusal(file, error.status) ?? error;
    }
  }

  #refusal(file: string, status: number): Error | null {
    const [code, caller, repo, revision] = [this.#errorCode, this.#caller, this.#repo, this.revision];
    const from = shown(this.#endpoint).replace(/\/$/, '');
    const fault = (expected: string, got: string) =>
      new NetworkError(`${caller}: expected ${expected} from ${from}, got ${got}`, { status });
    if (this.#elsewhere !== null) {
      const expected = `${caller}: expected ${file} of ${repo} from ${this.#elsewhere}, where ${from} redirects to`;
      return new NetworkError(`${expected}, got ${status}`, { status });
    }
    if (code === 'RevisionNotFound')
      return fault(`revision ${describe(revision)} of ${repo}`, `${status}: no such one`);
    if (status === 401 || status === 403 || code === 'RepoNotFound') {
      const way = this.#settings.token !== undefined ? 'the token may not read it' : 'pass token';
      const isThere = status === 403 || code === 'GatedRepo' ? '' : ', or no repository';
      return fault(repo, `${status}: gated or private${isThere}; ${way}`);
    }
    if (status !== 404) return null;
    if (file === 'model.safetensors') {
      return new FormatError(
        `${caller}: expected model.safetensors in ${repo} at ${revision}, got a repository without one; ` +
          'openWeights reads a pytorch_model.bin',
      );
    }
    if (code === 'EntryNotFound') {
      return new FormatError(
        `${caller}: expected config.json in ${repo} at ${revision}, got one that timm didn't write`,
      );
    }
    return fault(`${file} of ${repo} at ${revision}`, '404; is there such a repository? A private one takes a token');
  }

  #setCommit(commit: string | null): void {
    if (commit !== null && isCommit(commit) && !isCommit(this.revision)) this.revision = commit;
  }

  /** Takes note of which commit answers are of, and what refusals mean. */
  #observing(fetch: NonNullable<HttpOptions['fetch']>): HttpOptions['fetch'] {
    if (typeof fetch !== 'function') return fetch;
    return async (url, init) => {
      const response = await fetch(url, init);
      const headers = response?.headers;
      if (!headers) return response;
      // Where fetch follows by itself, the answer knows where it is from.
      const { origin } = new URL(response.redirected ? response.url : url);
      const isElsewhere = origin !== this.#endpoint.origin;
      if (response.status >= 400) {
        this.#elsewhere = isElsewhere ? origin : null;
        this.#errorCode = isElsewhere ? null : headers.get('x-error-code');
      } else if (!isElsewhere) {
        this.#setCommit(headers.get('x-repo-commit'));
      }
      return response;
    };
  }
}

function parsedEndpoint(caller: string, endpoint: unknown): URL {
  let url: URL | null = null;
  try {
    url = new URL(endpoint as string);
  } catch {}
  if (url && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' && url.search === '')
    return url;
  // Without what may be secret: a user and password, or a query.
  const got = typeof endpoint === 'string' ? endpoint.replace(/.*@/s, '…@').replace(/\?.*/s, '?…') : endpoint;
  throw new ValueError(
    `${caller}: expected endpoint as an http:// or https:// address such as ${ENDPOINT}, got ${describe(got)}`,
  );
}
