/**
 * An HTTP server on 127.0.0.1 for one file, whose bytes are made when they are asked for, and whose faults are chosen
 * by tests.
 */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What is served. */
export interface ServedFile {
  readonly byteLength: number;
  bytes(begin: number, end: number): Uint8Array;
}

/** A request as a fault sees it. */
export interface Asked {
  /** From 0. */
  readonly number: number;
  readonly range: { readonly begin: number; readonly end: number } | null;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** Answers a request in place of the server and returns true, or leaves it to the server. */
export type Fault = (asked: Asked) => boolean | undefined;

/** A running server. */
export interface FileServer extends AsyncDisposable {
  readonly url: string;
  /** The Range header of each request, in order. */
  readonly ranges: (string | undefined)[];
  /** Bytes of all answers' bodies. */
  served(): number;
  close(): Promise<void>;
}

/** How a {@link FileServer} answers. */
export interface FileServerOptions {
  readonly fault?: Fault;
  /** Whether it does range requests; true unless given. */
  readonly ranges?: boolean;
  readonly headers?: () => Record<string, string>;
}

/** Bytes of memory as a served file. */
export function servedBytes(bytes: Uint8Array): ServedFile {
  return { byteLength: bytes.length, bytes: (begin, end) => bytes.subarray(begin, end) };
}

/** Pieces of memory, one behind the other, as a served file. */
export function servedPieces(pieces: readonly Uint8Array[]): ServedFile {
  let end = 0;
  const places = pieces.map((bytes) => {
    end += bytes.length;
    return { begin: end - bytes.length, end, bytes };
  });
  return {
    byteLength: end,
    bytes: (from, until) =>
      Buffer.concat(
        places
          .filter((place) => place.begin < until && place.end > from)
          .map(({ begin, bytes }) => bytes.subarray(Math.max(0, from - begin), until - begin)),
      ),
  };
}

/** A server of one file, on a free port. */
export async function serveFile(
  file: ServedFile,
  { fault, ranges = true, headers = () => ({ etag: '"first"' }) }: FileServerOptions = {},
): Promise<FileServer> {
  let served = 0;
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    const number = asked.push(request.headers.range) - 1;
    const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    const end = Math.min(file.byteLength, Number(match?.[2]) + 1);
    const range = match ? { begin: Number(match[1]), end } : null;
    const write = response.write.bind(response);
    response.write = ((chunk: Uint8Array, ...rest: never[]) => {
      served += chunk.length;
      return write(chunk, ...rest);
    }) as typeof response.write;
    if (fault?.({ number, range, request, response })) return;
    for (const [name, value] of Object.entries(headers())) response.setHeader(name, value);
    if (range && ranges) {
      if (range.begin >= file.byteLength) {
        response.writeHead(416, { 'content-range': `bytes */${file.byteLength}` }).end();
        return;
      }
      response.writeHead(206, {
        'content-range': `bytes ${range.begin}-${range.end - 1}/${file.byteLength}`,
        'content-length': range.end - range.begin,
      });
      send(file, range.begin, range.end, response);
    } else {
      response.writeHead(200, { 'content-length': file.byteLength });
      send(file, 0, file.byteLength, response);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return {
    url: `http://127.0.0.1:${port}/weights.safetensors`,
    ranges: asked,
    served: () => served,
    close,
    [Symbol.asyncDispose]: close,
  };
}

const PIECE_BYTES = 2 ** 18;

/** Writes a part of the file, as fast as it is read. */
function send(file: ServedFile, begin: number, end: number, response: ServerResponse): void {
  let at = begin;
  const next = () => {
    while (at < end && !response.destroyed) {
      const until = Math.min(end, at + PIECE_BYTES);
      const flows = response.write(file.bytes(at, until));
      at = until;
      if (!flows) {
        response.once('drain', next);
        return;
      }
    }
    if (!response.destroyed) response.end();
  };
  next();
}
