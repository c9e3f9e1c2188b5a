/** The service on Node: `node node.mjs [MODEL WEIGHTS]`, on 127.0.0.1 and the port in PORT, 8787 unless given. */

import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { localService } from './local.mjs';

const [model, weights] = process.argv.slice(2);
const service = await localService({ model, weights });

const server = createServer(async (incoming, outgoing) => {
  const { method, headers, url } = incoming;
  const body = method === 'GET' || method === 'HEAD' ? null : Readable.toWeb(incoming);
  const request = new Request(`http://${headers.host ?? 'localhost'}${url}`, { method, headers, body, duplex: 'half' });
  const response = await service(request);
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  outgoing.end(new Uint8Array(await response.arrayBuffer()));
});
server.listen(Number(process.env.PORT ?? 8787), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
