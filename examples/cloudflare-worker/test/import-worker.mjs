/** A worker that imports the package when it is asked, and answers how long that took; see cold-start.mjs. */

export default {
  async fetch() {
    const begin = performance.now();
    const { resnet18 } = await import('layertap');
    return Response.json({ importMs: performance.now() - begin, imported: typeof resnet18 });
  },
};
