/**
 * Opens safetensors files without reading them: the header first, then only the tensors that are asked for, one at a
 * time. Over HTTP that takes range requests. Leaves out files in several shards.
 */

import { FormatError } from '../errors.ts';
import { nextTurn } from '../next-turn.ts';
import { withDefaults } from '../options.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { ReadTensorsOptions, TensorStream } from '../tensor/tensor-stream.ts';
import type { ReadLimits } from './byte-ranges.ts';
import type { Origin } from './byte-source.ts';
import { HTTP_DEFAULTS } from './http-origin.ts';
import { inFile } from './in-file.ts';
import { checkLimit, checkOpenSettings, MAX_HEADER_BYTES, type OpenOptions, READ_DEFAULTS } from './open-options.ts';
import { type FileSource, openOrigin } from './open-origin.ts';
import { HEAD_BYTES, readRange } from './read-range.ts';
import {
  MAX_SAFETENSORS_HEADER_BYTES,
  OPENER,
  PREFIX_BYTES,
  parsingSafetensorsHeader,
  type SafetensorsHeader,
  safetensorsHeaderBytes,
  type TensorInfo,
} from './safetensors-header.ts';
import { checkReadable, decodeSafetensorsTensor } from './safetensors-read.ts';
import { type TensorFormat, type TensorPlaces, TensorReader } from './tensor-reader.ts';

export type { ByteSource, FileHandleLike, Memory, ReadOptions } from './byte-source.ts';
export type { HttpOptions } from './http-origin.ts';
export type { OpenOptions } from './open-options.ts';

/** What {@link openSafetensors} can open. */
export type SafetensorsSource = FileSource;

/** Options of {@link openSafetensors}. */
export interface OpenSafetensorsOptions extends OpenOptions {
  /**
   * The most bytes of a header, which takes time and memory in proportion: 16 MiB unless given, as 100,000 tensors
   * need; the format allows 100,000,000. A header is parsed in stretches of some thousand entries, so that the signal
   * ends that too.
   */
  readonly maxHeaderBytes?: number | undefined;
}

/** An opened file: its checked header, and its tensors when they are asked for. */
export interface OpenedSafetensors extends SafetensorsHeader, TensorStream {
  readonly tensors: SafetensorsHeader['tensors'];
  /**
   * The named tensors in the order of their bytes, each read when it is asked for: no more than one is held. Reading
   * ends with the loop. Tensors may share the buffers that a source's `read` gave, and those of a source in memory.
   *
   * @throws {@link KeyError} naming all tensors that the file lacks, before anything is read
   * @throws {@link FormatError} where layertap lacks a tensor's dtype, or the file ends early
   * @throws {@link NetworkError} where a server refuses, or doesn't keep to HTTP
   * @throws {@link FileChangedError} where the file isn't the one that was opened
   */
  stream(names: Iterable<string>, options?: ReadTensorsOptions): AsyncIterable<readonly [string, Tensor]>;
  /**
   * The named tensors, all unless given, in the order of their bytes.
   *
   * @throws as {@link OpenedSafetensors.stream}
   */
  load(names?: Iterable<string>, options?: ReadTensorsOptions): Promise<Map<string, Tensor>>;
  /** Ends a connection that waits to be read on: only a server that doesn't do ranges leaves one. */
  close(): Promise<void>;
}

/**
 * A safetensors file, of which no more is read than what is asked for:
 *
 *     const file = await openSafetensors('https://example.com/resnet50.safetensors');
 *     const getter = new IntermediateLayerGetter(resnet50(), { layer2: 'c3' });
 *     await getter.loadStateDictAsync(file); // 6 MB of 102
 *
 * @param source a URL, a Response, a Blob or File, bytes, Node's FileHandle, anything with `byteLength` and `read`,
 *   or a stream. A stream and a Response are read once, from front to back
 * @throws {@link ValueError} where it is none of these
 * @throws {@link FormatError} where the file's header breaks a rule of the format
 * @throws {@link NetworkError} where a server can't be reached, refuses, or doesn't keep to HTTP
 */
export async function openSafetensors(
  source: SafetensorsSource,
  options: OpenSafetensorsOptions = {},
): Promise<OpenedSafetensors> {
  const { maxHeaderBytes, ...settings } = withDefaults(OPENER, options, {
    ...READ_DEFAULTS,
    maxHeaderBytes: MAX_HEADER_BYTES,
    ...HTTP_DEFAULTS,
  });
  checkOpenSettings(OPENER, settings);
  checkLimit(OPENER, 'maxHeaderBytes', maxHeaderBytes, 2);
  const { signal } = settings;
  signal?.throwIfAborted();
  const origin = await openOrigin(OPENER, source, settings);
  try {
    const head = await readRange(origin, 0, HEAD_BYTES, signal);
    return await openedSafetensors(OPENER, { origin, head, maxHeaderBytes, signal }, settings);
  } catch (error) {
    await origin.close();
    throw inFile(origin.name, error);
  }
}

/** @internal What reading a header takes. */
export interface HeaderReading {
  readonly origin: Origin;
  /** The file's first bytes, which are read. */
  readonly head: Uint8Array;
  readonly maxHeaderBytes: number;
  readonly signal: AbortSignal | undefined;
}

/** @internal The file of an origin whose first bytes are read. @param caller the public function, for messages */
export async function openedSafetensors(
  caller: string,
  reading: HeaderReading,
  limits: ReadLimits,
): Promise<TensorReader<TensorInfo> & Pick<SafetensorsHeader, 'metadata'>> {
  const file = await readHeader(caller, reading);
  return Object.assign(new TensorReader(caller, SAFETENSORS, file, limits), { metadata: file.metadata });
}

/** A safetensors file whose header is read. */
type OpenedFile = SafetensorsHeader & TensorPlaces<TensorInfo>;

/** The checked header, where the data begins, and those of its bytes that came along. */
async function readHeader(
  caller: string,
  { origin, head: first, maxHeaderBytes, signal }: HeaderReading,
): Promise<OpenedFile> {
  let head = first;
  const headerBytes = safetensorsHeaderBytes(head, origin.byteLength ?? Number.POSITIVE_INFINITY);
  if (headerBytes > maxHeaderBytes) {
    throw new FormatError(
      `safetensors: expected a header of at most ${maxHeaderBytes} bytes, got ${headerBytes}; ` +
        `${caller} takes up to ${MAX_SAFETENSORS_HEADER_BYTES} with maxHeaderBytes`,
    );
  }
  const dataBegin = PREFIX_BYTES + headerBytes;
  if (dataBegin > head.length) {
    head = await readRange(origin, head.length, dataBegin, signal, head);
    if (dataBegin > head.length) {
      throw new FormatError(`safetensors: header ends at byte ${dataBegin} of ${head.length}`);
    }
  }
  const dataBytes = origin.byteLength === undefined ? undefined : origin.byteLength - dataBegin;
  const parsing = parsingSafetensorsHeader(head.subarray(PREFIX_BYTES, dataBegin), dataBytes);
  for (;;) {
    const { done, value } = parsing.next();
    if (done) return { ...value, origin, dataBegin, head: head.slice(dataBegin) };
    await nextTurn();
    signal?.throwIfAborted();
  }
}

const SAFETENSORS: TensorFormat<TensorInfo> = {
  name: 'safetensors',
  endsFile: true,
  checkReadable,
  decode: decodeSafetensorsTensor,
};
