/**
 * Whatever holds a file's bytes as an {@link Origin}, told apart by what it can do, since classes differ between
 * realms.
 */

import { describe, kindOf, NetworkError, ValueError } from '../errors.ts';
import {
  type ByteSource,
  blobSource,
  type FileHandleLike,
  fileHandleOrigin,
  memorySource,
  type Origin,
  originOf,
  streamOrigin,
} from './byte-source.ts';
import { HttpOrigin, type HttpSettings } from './http-origin.ts';
import { shown } from './secrets.ts';
import { isBinary, toBytes, wayToBytes } from './to-bytes.ts';

/** What holds a file's bytes. */
export type FileSource =
  | string
  | URL
  | Response
  | Blob
  | Uint8Array
  | ArrayBuffer
  | FileHandleLike
  | ByteSource
  | ReadableStream<Uint8Array>;

/**
 * @param caller the public function that was given the source, for messages
 * @throws {@link ValueError} where the source is none that can be read
 */
export async function openOrigin(caller: string, source: FileSource, options: HttpSettings): Promise<Origin> {
  const kind = kindOf(source);
  if (typeof source === 'string' || kind === 'URL') return new HttpOrigin(caller, String(source), options);
  if (isBinary(source)) return originOf(caller, memorySource(toBytes(caller, source, caller)));
  const able = (source ?? {}) as unknown as Record<string, unknown>;
  const can = (name: string) => typeof able[name] === 'function';
  if (can('getReader')) {
    if (able.locked === true)
      throw new ValueError(`${caller}: expected a stream to read, got one that is read already`);
    return streamOrigin(caller, source as ReadableStream<Uint8Array>);
  }
  if (kind === 'Response') {
    const { status, url, body } = source as Response;
    if (status !== 200) {
      await body?.cancel().catch(() => {});
      throw new NetworkError(`${caller}: expected a Response of status 200, got ${status}`, { status });
    }
    const origin = await openOrigin(caller, body ?? new Blob([]).stream(), options);
    return url === '' ? origin : Object.assign(origin, { name: shown(new URL(url)) });
  }
  if (can('slice') && can('arrayBuffer')) return originOf(caller, blobSource(caller, source as Blob));
  if (can('read') && can('stat')) return fileHandleOrigin(caller, source as FileHandleLike);
  if (can('read') && 'byteLength' in able) return originOf(caller, source as ByteSource);
  throw new ValueError(
    `${caller}: expected a URL, Response, Blob, Uint8Array, FileHandle, ReadableStream or { byteLength, read }, ` +
      `got ${describe(source)}${wayToBytes(source, caller)}`,
  );
}
