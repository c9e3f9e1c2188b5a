/**
 * Bundles the worker as a deployment does and serves it by workerd, Cloudflare's runtime, on 127.0.0.1. As a program
 * (`npm run serve`): the digits network on port 8787.
 */

import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import workerd from 'workerd';

const here = dirname(fileURLToPath(import.meta.url));

/**
 * An isolate of Cloudflare's has 128 MB, workerd itself no limit: 100 MiB for each WebAssembly memory, and for
 * JavaScript's old objects what then is left. Where they may be many, V8 hardly ever collects them, and what workerd
 * holds for each in its own memory piles up.
 */
const ISOLATE_FLAGS = ['--wasm-max-mem-pages=1600', '--max-old-space-size=24'];

/**
 * Bundles a module for workerd into a folder: the script, and beside it the WebAssembly modules that it imports.
 *
 * @param {string} entry
 * @param {string} folder
 */
export async function bundle(entry, folder) {
  await build({
    entryPoints: [entry],
    outfile: join(folder, 'worker.js'),
    bundle: true,
    format: 'esm',
    minify: true,
    conditions: ['workerd', 'worker'],
    logLevel: 'warning',
    plugins: [
      {
        name: 'wasm-modules',
        setup(plugin) {
          plugin.onResolve({ filter: /\.wasm(\?module)?$/ }, async ({ path, resolveDir, pluginData }) => {
            if (pluginData === 'inner') return undefined;
            const file = await plugin.resolve(path.replace('?module', ''), {
              resolveDir,
              kind: 'import-statement',
              pluginData: 'inner',
            });
            if (file.errors.length > 0) return { errors: file.errors };
            cpSync(file.path, join(folder, basename(file.path)));
            return { path: `./${basename(file.path)}`, external: true };
          });
        },
      },
    ],
  });
}

/**
 * Starts workerd with an isolate's limits, and resolves once it listens.
 *
 * @param {object} options
 * @param {string} options.weights the weight file
 * @param {string} [options.model] a name of models.mjs
 * @param {number} [options.port] a free one unless given
 * @param {string} [options.entry] the worker's module
 * @returns {Promise<{ url: string, pid: number | undefined, exited: Promise<void>, stop(): Promise<void> }>}
 */
export async function startWorkerd({ weights, model = 'digits', port = 0, entry = join(here, 'workerd.mjs') }) {
  const folder = mkdtempSync(join(tmpdir(), 'layertap-worker-'));
  await bundle(entry, folder);
  cpSync(weights, join(folder, 'assets/weights.safetensors'));
  const wasm = readdirSync(folder).filter((name) => name.endsWith('.wasm'));
  const modules = wasm.map((name) => `(name = "${name}", wasm = embed "${name}")`);
  const flags = ISOLATE_FLAGS.map((flag) => JSON.stringify(flag));
  writeFileSync(
    join(folder, 'config.capnp'),
    `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  v8Flags = [${flags.join(', ')}],
  services = [
    (name = "main", worker = (
      compatibilityDate = "2026-11-01",
      modules = [(name = "worker.js", esModule = embed "worker.js"), ${modules.join(', ')}],
      bindings = [(name = "MODEL", text = "${model}"), (name = "WEIGHTS", service = "assets")],
    )),
    (name = "assets", disk = (path = ${JSON.stringify(join(folder, 'assets'))})),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
`,
  );
  const child = spawn(workerd.default, ['serve', join(folder, 'config.capnp'), '--control-fd=3'], {
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
  });
  /** @type {Promise<void>} */
  const exited = new Promise((done) => {
    child.once('exit', () => {
      rmSync(folder, { recursive: true, force: true });
      done();
    });
  });
  const listening = new Promise((done, fail) => {
    createInterface({ input: /** @type {import('node:stream').Readable} */ (child.stdio[3]) }).on('line', (line) => {
      const message = JSON.parse(line);
      if (message.event === 'listen') done(message.port);
    });
    child.once('exit', (code) => fail(new Error(`workerd ended with ${code}`)));
  });
  async function stop() {
    child.kill();
    await exited;
  }
  return { url: `http://127.0.0.1:${await listening}`, pid: child.pid, exited, stop };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const worker = await startWorkerd({ weights: join(here, 'digits/weights.safetensors'), port: 8787 });
  console.log(`the digits network on ${worker.url}; try:\n`);
  console.log(
    `  curl -H 'content-type: image/png' --data-binary @${join(here, 'test/scene.png')} ${worker.url}/mask -o mask.png`,
  );
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void worker.stop());
  await worker.exited;
}
