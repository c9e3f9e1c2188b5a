// For Cloudflare's runtime. The package is loaded on a request, so that how long that takes can be told.
import { golden } from './golden.mjs';
import { probe } from './probe.mjs';

export default {
  async fetch({ url }) {
    try {
      const start = performance.now();
      const layertap = await import('layertap');
      const importMs = performance.now() - start;
      return Response.json(url.endsWith('/import') ? { importMs } : probe(layertap, golden));
    } catch (error) {
      return new Response(String(error.stack), { status: 500 });
    }
  },
};
