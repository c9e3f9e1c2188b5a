/** Clients of all manners, over HTTP. No tests in here. */

import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';

/** @param {string} url @param {string} path @param {Uint8Array} body */
export async function ask(url, path, body, type = 'image/png') {
  const response = await fetch(url + path, { method: 'POST', body, headers: { 'content-type': type } });
  return { status: response.status, body: Buffer.from(await response.arrayBuffer()), headers: response.headers };
}

/** As fetch, but with the Content-Length that it is told, and an answer may come before the body's end. */
export async function send(url, { method, headers, body = null }) {
  const sent = request(url, { method, headers });
  sent.on('error', () => {});
  const answered = once(sent, 'response');
  if (body instanceof ReadableStream) Readable.fromWeb(body).pipe(sent);
  else if (headers?.['content-length']) sent.write(body);
  else sent.end(body);
  const [response] = await answered;
  const { error } = JSON.parse(Buffer.concat(await response.toArray()));
  sent.destroy();
  return { status: response.statusCode, error };
}

/**
 * A client whose upload has begun: `finish` sends the rest and resolves with the status.
 *
 * @param {string} url
 * @param {Uint8Array} body a PNG
 */
export async function beginUpload(url, body) {
  const sent = request(url, {
    method: 'POST',
    headers: { 'content-type': 'image/png', 'content-length': body.length },
  });
  sent.on('error', () => {});
  const answered = once(sent, 'response');
  answered.catch(() => {});
  await new Promise((resolve) => sent.write(body.subarray(0, 100), resolve));
  async function finish() {
    sent.end(body.subarray(100));
    const [response] = await answered;
    await response.toArray();
    return response.statusCode;
  }
  return { finish, leave: () => sent.destroy() };
}

/** What a server says to these very bytes: the status, or 0 where it closes without one. */
export async function raw(url, text) {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => {});
  socket.write(text);
  const received = await new Promise((resolve) => {
    socket.once('data', (bytes) => resolve(String(bytes)));
    socket.once('close', () => resolve(''));
  });
  socket.destroy();
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(received)?.[1] ?? 0);
}

/** Sends all requests from so many clients, each one after the other. */
export async function load(requests, clients, send) {
  let next = 0;
  const client = async () => {
    while (next < requests) await send(next++);
  };
  await Promise.all(Array.from({ length: clients }, client));
}
