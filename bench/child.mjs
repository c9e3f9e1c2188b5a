/** Runs in a process of its own: imports the modules that it is told to, and calls their functions. See process.mjs. */

process.on(
  'message',
  async (/** @type {{ module: string, name: string, args: unknown[] }} */ { module, name, args }) => {
    try {
      const exported = await import(new URL(module, import.meta.url).href);
      process.send?.({ result: await exported[name](...args) });
    } catch (error) {
      process.send?.({ error: /** @type {Error} */ (error).stack });
    }
  },
);
process.on('disconnect', () => process.exit());
