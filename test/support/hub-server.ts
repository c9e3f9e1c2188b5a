/**
 * A hub on 127.0.0.1 with the hub's layout: `/OWNER/NAME/resolve/REVISION/FILE`, its headers, and its answers to what
 * isn't there. Weights are served from another port, as the hub's are from another host.
 */

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The commit that a branch of each repository stands for. */
export const COMMIT = '0123456789abcdef0123456789abcdef01234567';

/** What a hub has, and how it answers. */
export interface HubOptions {
  /** The files of each repository. */
  readonly repos: Readonly<Record<string, Readonly<Record<string, Uint8Array | string | object>>>>;
  /** The token that is needed; none unless given. */
  readonly token?: string;
  /** Answers in place of the hub and returns true. */
  readonly fault?: (request: IncomingMessage, response: ServerResponse) => boolean | undefined;
  /** Answers in place of the other host and returns true. */
  readonly faultElsewhere?: HubOptions['fault'];
  /** False for a mirror that tells no commits and no errors; true unless given. */
  readonly tells?: boolean;
}

/** A request as it came. */
export interface HubRequest {
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
  /** True where it came to the other host. */
  readonly isElsewhere: boolean;
}

/** A running hub. */
export interface HubServer {
  readonly endpoint: string;
  /** The other host's address. */
  readonly elsewhere: string;
  readonly requests: HubRequest[];
  /** Bytes of all answers' bodies. */
  served(): number;
  close(): Promise<void>;
}

const bytesOf = (file: Uint8Array | string | object): Uint8Array =>
  file instanceof Uint8Array ? file : new TextEncoder().encode(typeof file === 'string' ? file : JSON.stringify(file));

/** A hub on two free ports. */
export async function serveHub({ repos, token, fault, faultElsewhere, tells = true }: HubOptions): Promise<HubServer> {
  const requests: HubRequest[] = [];
  let served = 0;
  const send = (file: Uint8Array, request: IncomingMessage, response: ServerResponse) => {
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    response.setHeader('etag', `"${createHash('sha256').update(file).digest('hex')}"`);
    if (first === undefined) {
      served += file.length;
      response.writeHead(200, { 'content-length': file.length }).end(file);
      return;
    }
    const part = file.subarray(Number(first), Number(last) + 1);
    served += part.length;
    const range = `bytes ${first}-${Number(first) + part.length - 1}/${file.length}`;
    response.writeHead(206, { 'content-range': range, 'content-length': part.length }).end(part);
  };
  const note = (request: IncomingMessage, isElsewhere: boolean) => {
    const { range, authorization } = request.headers;
    requests.push({ path: request.url!, range, authorization, isElsewhere });
  };
  const elsewhere = createServer((request, response) => {
    note(request, true);
    if (faultElsewhere?.(request, response)) return;
    const [, owner, name, file] = request.url!.split('?')[0]!.split('/');
    send(bytesOf(repos[`${owner}/${name}`]![file!]!), request, response);
  });
  const hub = createServer((request, response) => {
    note(request, false);
    if (fault?.(request, response)) return;
    const refuse = (status: number, code: string | null) => {
      if (code !== null && tells) response.setHeader('x-error-code', code);
      response.writeHead(status).end('no');
    };
    const [, repo, revision, file] = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(request.url!) ?? [];
    if (token !== undefined && request.headers.authorization !== `Bearer ${token}`) return refuse(401, null);
    if (!repo || !repos[repo]) return refuse(token === undefined ? 401 : 404, 'RepoNotFound');
    if (!['main', COMMIT].includes(decodeURIComponent(revision!))) return refuse(404, 'RevisionNotFound');
    if (tells) response.setHeader('x-repo-commit', COMMIT);
    const found = repos[repo][file!];
    if (found === undefined) return refuse(404, 'EntryNotFound');
    if (file!.endsWith('.json')) return send(bytesOf(found), request, response);
    const { port } = elsewhere.address() as AddressInfo;
    response.writeHead(302, { location: `http://127.0.0.1:${port}/${repo}/${file}?signature=SECRET` }).end();
  });
  for (const server of [elsewhere, hub]) await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    endpoint: `http://127.0.0.1:${(hub.address() as AddressInfo).port}`,
    elsewhere: `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`,
    requests,
    served: () => served,
    async close() {
      for (const server of [elsewhere, hub]) {
        server.closeAllConnections();
        await new Promise((done) => server.close(done));
      }
    },
  };
}
