/**
 * One door for weight files: safetensors, safetensors in shards, and PyTorch's `.pth` in both layouts, told apart by
 * their first bytes.
 */

import { describe, FormatError } from '../errors.ts';
import { withDefaults } from '../options.ts';
import type { Shape } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { LoadProgress, ReadTensorsOptions, TensorStream } from '../tensor/tensor-stream.ts';
import type { ReadLimits } from './byte-ranges.ts';
import { memorySource, originOf } from './byte-source.ts';
import { HTTP_DEFAULTS } from './http-origin.ts';
import { inFile } from './in-file.ts';
import { jsonOf } from './json.ts';
import {
  checkCallable,
  checkLimit,
  checkOpenSettings,
  MAX_HEADER_BYTES,
  type OpenOptions,
  READ_DEFAULTS,
} from './open-options.ts';
import { type FileSource, openOrigin } from './open-origin.ts';
import { type HeaderReading, openedSafetensors } from './open-safetensors.ts';
import { readPthLegacy, readPthZip } from './pth-file.ts';
import { pthTensors } from './pth-reader.ts';
import { HEAD_BYTES, readRange } from './read-range.ts';
import { safetensorsHeaderBytes, type TensorInfo } from './safetensors-header.ts';
import { checkDigits, checkSha256 } from './sha256.ts';
import { checkKeyOptions, type KeyOptions, renamed, tensorsOf } from './state-dict-of.ts';
import { checkedNames, collected, type TensorReader } from './tensor-reader.ts';
import { isBinary, toBytes } from './to-bytes.ts';
import { weightFileKind } from './weight-file-kind.ts';

const CALLER = 'openWeights';

/** Options of {@link openWeights}. */
export interface OpenWeightsOptions extends OpenOptions, KeyOptions {
  /** The most bytes of a `.pth` file's pickle, or of the headers of all shards together: 16 MiB unless given. */
  readonly maxHeaderBytes?: number | undefined;
  /**
   * The most bytes of a file that is read as a whole, which is a zip from a stream or a server without ranges; as many
   * as come unless given.
   */
  readonly maxBytes?: number | undefined;
  /**
   * The file of a shard, for an index that doesn't come from a URL: `(name) => open(join(folder, name))`, whose handle
   * stays open, to be closed by who opened it. By a URL, shards are its neighbours.
   */
  readonly shard?: ((name: string) => FileSource | PromiseLike<FileSource>) | undefined;
  /**
   * The first digits of the file's SHA-256, in hexadecimal: what torch.hub's `check_hash` looks at. Checked where the
   * whole file is in memory: of bytes, and of a zip from a stream or a server without ranges.
   */
  readonly sha256?: string | undefined;
}

/** An opened weight file: its tensors' names and shapes, and their values when they are asked for. */
export interface OpenedWeights extends TensorStream {
  /** Which kind of file it is. */
  readonly format: 'safetensors' | 'pth';
  /** By their names in the model; `dtype` as the file's format spells it. */
  readonly tensors: ReadonlyMap<string, { readonly dtype: string; readonly shape: Shape }>;
  /** The named tensors, all unless given. */
  load(names?: Iterable<string>, options?: ReadTensorsOptions): Promise<Map<string, Tensor>>;
  /** Ends a connection that waits to be read on. */
  close(): Promise<void>;
}

/**
 * A weight file, of which no more is read than what is asked for:
 *
 *     const file = await openWeights('https://example.com/resnet50.pth');
 *     const getter = new IntermediateLayerGetter(resnet50(), { layer2: 'c3' });
 *     await getter.loadStateDictAsync(file); // 6 MB of 102
 *
 * Nothing in a `.pth` file is run: names in it stand for what a closed list has under them. A server that answers with
 * the whole file, and a stream, are read to their end first where the file is a zip, whose directory comes last.
 *
 * @param source a URL, a Response, a Blob or File, bytes, Node's FileHandle, anything with `byteLength` and `read`,
 *   or a stream
 * @throws {@link ValueError} where it is none of these
 * @throws {@link FormatError} where it is no weight file, naming what it is; with the part that isn't as it should be
 * @throws {@link NetworkError} where a server can't be reached, refuses, or doesn't keep to HTTP
 * @see torch.load with weights_only
 */
export async function openWeights(source: FileSource, options: OpenWeightsOptions = {}): Promise<OpenedWeights> {
  const { maxHeaderBytes, maxBytes, key, prefix, rename, shard, sha256, ...settings } = withDefaults(CALLER, options, {
    ...READ_DEFAULTS,
    ...{ maxHeaderBytes: MAX_HEADER_BYTES, maxBytes: Number.MAX_SAFE_INTEGER },
    ...{ key: undefined, prefix: undefined, rename: undefined, shard: undefined, sha256: undefined },
    ...HTTP_DEFAULTS,
  });
  checkOpenSettings(CALLER, settings);
  checkLimit(CALLER, 'maxHeaderBytes', maxHeaderBytes, 2);
  checkLimit(CALLER, 'maxBytes', maxBytes, 0);
  checkKeyOptions(CALLER, { key, prefix, rename });
  checkCallable(CALLER, 'shard', shard);
  checkDigits(CALLER, sha256);
  const { signal } = settings;
  signal?.throwIfAborted();
  if (isBinary(source)) await checkSha256(CALLER, toBytes(CALLER, source, CALLER), sha256);
  let origin = await openOrigin(CALLER, source, settings);
  const { name } = origin;
  let close = () => origin.close();
  try {
    let head = await readRange(origin, 0, HEAD_BYTES, signal);
    const reading = { origin, head, maxHeaderBytes, signal };
    const kind = weightFileKind(CALLER, head);
    if (kind === 'index') {
      const names = await shardsOf(reading);
      await origin.close();
      const shards = await openShards(names, { url: origin.url, shard, settings, maxHeaderBytes });
      close = () => shards.close();
      return mapped(shards, 'safetensors', { prefix, rename });
    }
    if (kind === 'safetensors') {
      return mapped(await openedSafetensors(CALLER, reading, settings), 'safetensors', { prefix, rename });
    }
    if (kind === 'zip' && (!origin.seekable || origin.byteLength === undefined)) {
      const whole = await readWhole(reading, 'a file within maxBytes', maxBytes);
      await origin.close();
      await checkSha256(CALLER, whole, sha256);
      origin = originOf(CALLER, memorySource(whole));
      head = whole.subarray(0, HEAD_BYTES);
    }
    const pth = { origin, head, maxPickleBytes: maxHeaderBytes, signal };
    const file = kind === 'zip' ? await readPthZip(pth) : await readPthLegacy(pth);
    const tensors = tensorsOf(CALLER, file.object, key);
    const opened = pthTensors(CALLER, file, tensors, settings);
    return mapped(opened, 'pth', { prefix, rename }, name);
  } catch (error) {
    await close();
    throw inFile(name, error);
  }
}

/**
 * All tensors of a weight file in memory, as {@link openWeights} opens it.
 *
 * @param bytes the whole file
 */
export async function loadWeights(
  bytes: Uint8Array | ArrayBuffer,
  options: OpenWeightsOptions = {},
): Promise<Map<string, Tensor>> {
  const file = await openWeights(toBytes('loadWeights', bytes, CALLER), options);
  return file.load();
}

/** What a format's reader gives. */
interface Opened extends Pick<OpenedWeights, 'tensors' | 'close'> {
  batches: NonNullable<TensorStream['batches']>;
}

/** The tensors under their names in the model. @param address what errors of contents name the file by */
function mapped(file: Opened, format: OpenedWeights['format'], keys: KeyOptions, address?: string): OpenedWeights {
  const names = renamed(file.tensors.keys(), keys);
  const tensors = new Map(
    Array.from(names, ([to, from]) => {
      const { dtype, shape } = file.tensors.get(from)!;
      return [to, { dtype, shape }];
    }),
  );
  const back = new Map(Array.from(names, ([to, from]) => [from, to]));
  const own = (asked: Iterable<string>) => checkedNames(CALLER, asked, names).map((name) => names.get(name)!);
  async function* batches(asked: Iterable<string>, options: ReadTensorsOptions = {}) {
    const { memory, ...reading } = options;
    const given = memory && { memory: (name: string, bytes: number) => memory(back.get(name)!, bytes) };
    try {
      for await (const batch of file.batches(own(asked), { ...reading, ...given })) yield named(batch);
    } catch (error) {
      throw inFile(address, error);
    }
  }
  function* named(batch: Iterable<readonly [string, Tensor]>) {
    try {
      for (const [name, tensor] of batch) yield [back.get(name)!, tensor] as const;
    } catch (error) {
      throw inFile(address, error);
    }
  }
  async function* stream(asked: Iterable<string>, options?: ReadTensorsOptions) {
    for await (const batch of batches(asked, options)) yield* batch;
  }
  return {
    format,
    tensors,
    stream,
    batches,
    load: (asked = names.keys(), options) => collected(stream(asked, options)),
    close: () => file.close(),
  };
}

/** What opening shards takes. */
interface ShardOptions {
  /** What is left of it for the headers of further shards. */
  maxHeaderBytes: number;
  /** The index's. */
  readonly url: URL | undefined;
  readonly shard: OpenWeightsOptions['shard'];
  readonly settings: Parameters<typeof openOrigin>[2] & ReadLimits & { readonly signal: AbortSignal | undefined };
}

/** The most shards of a model. */
const MAX_SHARDS = 1000;

/** All bytes of a file. @throws {@link FormatError} where they are more than are allowed */
async function readWhole({ origin, head, signal }: HeaderReading, expected: string, most: number): Promise<Uint8Array> {
  const bytes = await readRange(origin, head.length, most + 1, signal, head);
  if (bytes.length <= most) return bytes;
  throw new FormatError(`${CALLER}: expected ${expected}, got more than ${most} bytes`);
}

/** The files that an index names. */
async function shardsOf(reading: HeaderReading): Promise<string[]> {
  const bytes = await readWhole(reading, 'an index within maxHeaderBytes', reading.maxHeaderBytes);
  const map = (jsonOf(bytes) as { readonly weight_map?: unknown } | null | undefined)?.weight_map;
  const names = typeof map === 'object' && map !== null ? [...new Set(Object.values(map))] : [];
  const isName = (name: unknown) => typeof name === 'string' && /^[^/\\:]+\.safetensors$/.test(name);
  if (names.length > 0 && names.length <= MAX_SHARDS && names.every(isName)) return names as string[];
  throw new FormatError(
    `${CALLER}: expected a weight file, got JSON that is no index of shards: no { "weight_map": { … } } of ` +
      'safetensors files',
  );
}

/** The tensors of all shards as those of one file. */
async function openShards(names: readonly string[], options: ShardOptions): Promise<Opened> {
  const { url, shard } = options;
  if (!url && !shard) {
    throw new FormatError(`${CALLER}: expected the option shard for an index of ${names.length} files, got none`);
  }
  const files: TensorReader<TensorInfo>[] = [];
  const close = async () => {
    for (const file of files) await file.close();
  };
  /** Which shard has each tensor. */
  const shardOf = new Map<string, string>();
  try {
    for (const name of names) {
      const file = await openShard(name, options);
      files.push(file);
      for (const tensor of file.tensors.keys()) {
        const other = shardOf.get(tensor);
        if (other !== undefined) {
          const got = `${describe(tensor)} in ${describe(other)} and ${describe(name)}`;
          throw new FormatError(`${CALLER}: expected each tensor in one shard, got ${got}`);
        }
        shardOf.set(tensor, name);
      }
    }
  } catch (error) {
    await close();
    throw error;
  }
  const tensors = new Map(files.flatMap((file) => [...file.tensors]));
  async function* batches(asked: Iterable<string>, { onProgress, ...reading }: ReadTensorsOptions = {}) {
    checkCallable(CALLER, 'onProgress', onProgress);
    const wanted = new Set(asked);
    let totalBytes = 0;
    for (const name of wanted) totalBytes += tensors.get(name)!.end - tensors.get(name)!.begin;
    let all = 0;
    for (const file of files) {
      const own = [...file.tensors.keys()].filter((name) => wanted.has(name));
      const before = all;
      const told = ({ loadedBytes }: LoadProgress) => {
        all = before + loadedBytes;
        onProgress?.({ loadedBytes: all, totalBytes });
      };
      if (own.length > 0) yield* file.batches(own, { ...reading, onProgress: told });
    }
  }
  return { tensors, batches, close };
}

/** One shard, whose header is read; closed again where that fails. */
async function openShard(name: string, options: ShardOptions) {
  const { url, shard, settings, maxHeaderBytes } = options;
  const { signal } = settings;
  const origin = await openOrigin(CALLER, shard ? await shard(name) : new URL(name, url!), settings);
  // A handle has no name of its own.
  Object.assign(origin, { name: origin.name ?? name });
  try {
    const head = await readRange(origin, 0, HEAD_BYTES, signal);
    const file = await openedSafetensors(CALLER, { origin, head, maxHeaderBytes, signal }, settings);
    options.maxHeaderBytes -= safetensorsHeaderBytes(head, Infinity);
    return file;
  } catch (error) {
    await origin.close();
    throw inFile(origin.name, error);
  }
}
