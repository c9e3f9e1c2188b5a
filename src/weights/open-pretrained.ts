/** Opens torchvision's weight files where they lie, or on a mirror. */

import { describe, FormatError, ValueError } from '../errors.ts';
import type { FileHandleLike } from '../formats/byte-source.ts';
import { HTTP_DEFAULTS, type HttpSettings } from '../formats/http-origin.ts';
import { inFile } from '../formats/in-file.ts';
import { checkCallable, checkOpenSettings, type OpenOptions, READ_DEFAULTS } from '../formats/open-options.ts';
import { type FileSource, openOrigin } from '../formats/open-origin.ts';
import { type OpenedWeights, openWeights } from '../formats/open-weights.ts';
import { cachedSource, checkCache, type RangeCache } from '../formats/range-cache.ts';
import { withoutSecrets } from '../formats/secrets.ts';
import { flag, withDefaults } from '../options.ts';
import type { LoadProgress } from '../tensor/tensor-stream.ts';
import { checkedWeights, type Weights } from './weights.ts';

/** Where a weight file is read from, and how. */
export interface PretrainedSource extends OpenOptions {
  /**
   * Where the files are besides torchvision's own server: a URL that their paths follow, e.g.
   * `https://example.com/torch` for `https://example.com/torch/models/resnet50-11ad3fa6.pth`.
   */
  readonly mirror?: string | URL | undefined;
  /**
   * Whether the whole file is read, and its SHA-256 compared with the digits in its name: torch.hub's `check_hash`.
   * Unless given, it is compared where the whole file has to be read anyway. Hosts without `crypto.subtle` compare
   * nothing.
   */
  readonly checkHash?: boolean | undefined;
  /** Asked for the file before the network is: `torchCheckpoint` of `layertap/node`. It is given torchvision's URL. */
  readonly local?: ((url: string) => PromiseLike<LocalFile | null>) | undefined;
  /** Keeps parts of files that were read: `folderCache()` of `layertap/node`, `rangesInCache()` of `layertap/hub`. */
  readonly cache?: RangeCache | undefined;
}

/** An opened file on this machine. */
export interface LocalFile extends FileHandleLike {
  /** Lets go of the file. */
  close(): PromiseLike<void>;
}

/** Options of {@link openPretrained}. */
export interface OpenPretrainedOptions extends PretrainedSource {
  /** Called as the file arrives, where `checkHash` has it read as a whole. */
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
}

/** The defaults of the options, those of opening any file included. */
export const SOURCE_DEFAULTS = {
  ...READ_DEFAULTS,
  ...HTTP_DEFAULTS,
  ...{ mirror: undefined, checkHash: undefined, local: undefined, cache: undefined, onProgress: undefined },
};

/**
 * The opened file of weights, as {@link openWeights} opens it: no more is read than what is asked for, unless
 * `checkHash` asks for the whole file.
 *
 *     const file = await openPretrained(ResNet50_Weights.DEFAULT);
 *     await getter.loadStateDictAsync(file);
 *
 * @throws {@link ValueError} where an option is of a wrong type
 * @throws {@link FormatError} where the file isn't the one that was asked for
 * @throws {@link NetworkError} where the server can't be reached, refuses, or doesn't keep to HTTP
 * @see torch.hub.load_state_dict_from_url
 */
export async function openPretrained(weights: Weights, options: OpenPretrainedOptions = {}): Promise<OpenedWeights> {
  const caller = 'openPretrained';
  const { mirror, checkHash, local, cache, onProgress, ...settings } = withDefaults(caller, options, SOURCE_DEFAULTS);
  const { url } = checkedWeights(caller, weights);
  const place = mirror === undefined ? url : mirrored(caller, url, mirror);
  const isWhole = flag(`${caller}: checkHash`, checkHash ?? false);
  checkOpenSettings(caller, settings);
  checkCallable(caller, 'local', local);
  if (cache !== undefined) checkCache(caller, cache);
  checkCallable(caller, 'onProgress', onProgress);
  const { signal } = settings;
  const cached = async () => cache && cachedSource(caller, place, { cache, identity: null, http: settings, signal });
  const own = (await local?.(url)) ?? (await cached());
  const source = own ?? place;
  try {
    const opened = await (isWhole
      ? openWhole(source, weights, { ...settings, onProgress })
      : openWeights(source, {
          ...settings,
          maxBytes: mostBytesOf(weights),
          sha256: checkHash === false ? undefined : weights.sha256,
        }));
    return {
      ...opened,
      close: async () => {
        await opened.close();
        await own?.close();
      },
    };
  } catch (error) {
    await own?.close();
    throw error;
  }
}

/**
 * The most bytes of a file: what a server says of its size, or sends, is bounded by what is known of it, in MiB with
 * three digits after the point.
 */
function mostBytesOf({ meta }: Weights): number {
  return Math.ceil((meta.fileSize + 0.001) * 2 ** 20);
}

/** The file, read as a whole and compared with the digits in its name. */
async function openWhole(
  source: FileSource,
  weights: Weights,
  { onProgress, ...settings }: HttpSettings & Pick<OpenPretrainedOptions, 'signal' | 'onProgress'>,
): Promise<OpenedWeights> {
  const caller = 'openPretrained';
  const { signal } = settings;
  const origin = await openOrigin(caller, source, settings);
  const most = mostBytesOf(weights);
  let bytes = new Uint8Array(0);
  let filled = 0;
  try {
    for await (const piece of origin.pieces(0, most + 1, signal)) {
      if (filled === 0) bytes = new Uint8Array(Math.min(origin.byteLength ?? most, most));
      if (filled + piece.length > bytes.length) {
        throw new FormatError(`${caller}: expected at most ${bytes.length} bytes of ${weights}, got more`);
      }
      bytes.set(piece, filled);
      filled += piece.length;
      onProgress?.({ loadedBytes: filled, totalBytes: bytes.length });
    }
    return await openWeights(bytes.subarray(0, filled), { signal, sha256: weights.sha256 });
  } catch (error) {
    throw inFile(origin.name, error);
  } finally {
    await origin.close();
  }
}

/** A URL's path on a mirror. */
function mirrored(caller: string, url: string, mirror: string | URL): string {
  let place: URL;
  try {
    place = new URL(mirror, globalThis.location?.href);
  } catch {
    const got = describe(typeof mirror === 'string' ? withoutSecrets(mirror) : mirror);
    throw new ValueError(`${caller}: expected mirror as a URL, got ${got}`);
  }
  place.pathname = place.pathname.replace(/\/$/, '') + new URL(url).pathname;
  return place.href;
}
