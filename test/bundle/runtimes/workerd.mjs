/** Cloudflare's runtime: by itself, in Miniflare, and as wrangler bundles for it and runs it in Miniflare. */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { after, outputOf, present, printedResult, whileRunning } from '../command.mjs';
import { fetchResult, freePort } from '../http.mjs';

const versionOf = ({ packages }, name) =>
  JSON.parse(readFileSync(join(packages, 'node_modules', name, 'package.json'), 'utf8')).version;

export const checks = async (project) => [
  ['workerd', () => plain(project)],
  ['Miniflare', () => inMiniflare(project)],
  ['wrangler, dry run of a deployment', () => withWrangler(project, deploy)],
  ['wrangler dev (Miniflare)', () => withWrangler(project, develop)],
];

/** The package bundled into one module, the binaries as they are, all listed in a configuration of workerd's own. */
async function plain(project) {
  const { folder } = project;
  const file = '@cloudflare/workerd-linux-64/bin/workerd';
  const command = present(join(project.packages, 'node_modules', file), `workerd (${file})`);
  await build({
    absWorkingDir: folder,
    stdin: { contents: "export * from 'layertap';", resolveDir: folder },
    outfile: 'workerd-layertap.mjs',
    bundle: true,
    format: 'esm',
    conditions: ['workerd'],
    external: ['*.wasm?module'],
    logLevel: 'error',
  });
  const scripts = ['worker.mjs', 'probe.mjs', 'networks.mjs', 'golden.mjs'];
  const modules = scripts.map((name) => `(name = "${name}", esModule = embed "${name}")`);
  // The bundle imports '../kernels.both.wasm?module'.
  modules.push(`(name = "layertap", esModule = "export * from './dist/layertap.mjs';")`);
  modules.push('(name = "dist/layertap.mjs", esModule = embed "workerd-layertap.mjs")');
  const both = 'kernels.both.wasm';
  modules.push(`(name = "${both}?module", wasm = embed "node_modules/layertap/dist/${both}")`);
  const port = await freePort();
  writeFileSync(
    join(folder, 'workerd.capnp'),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (compatibilityDate = "2026-01-01", modules = [
    ${modules.join(',\n    ')}
  ]))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]
);\n`,
  );
  const ask = (path) =>
    whileRunning(command, ['serve', 'workerd.capnp'], { cwd: folder }, (failed) =>
      Promise.race([failed, after(60, 'workerd'), fetchResult(`http://127.0.0.1:${port}${path}`)]),
    );
  const result = await ask('/');
  let importMs = Infinity;
  for (let start = 0; start < 5; start++) importMs = Math.min(importMs, (await ask('/import')).importMs);
  return { version: versionOf(project, 'workerd'), importMs, ...result };
}

/**
 * The whole worker bundled into one module, which Miniflare is given with the binaries. It needs a newer Node than 20.
 */
async function inMiniflare(project) {
  const { folder } = project;
  const outfile = join(folder, 'worker.miniflare.mjs');
  await build({
    absWorkingDir: folder,
    entryPoints: ['worker.mjs'],
    outfile,
    bundle: true,
    format: 'esm',
    conditions: ['workerd'],
    external: ['*.wasm?module'],
    logLevel: 'error',
  });
  const script = fileURLToPath(new URL('../in-miniflare.mjs', import.meta.url));
  const dist = join(folder, 'node_modules/layertap/dist');
  const printed = await outputOf(project.node(24), [script, outfile, dist], { cwd: folder });
  return { version: versionOf(project, 'miniflare'), ...printedResult(printed) };
}

/** Wrangler without any rule for WebAssembly. It needs a newer Node than 20. */
async function withWrangler(project, use) {
  const { folder } = project;
  writeFileSync(
    join(folder, 'wrangler.json'),
    JSON.stringify({ name: 'layertap-test', main: 'worker.mjs', compatibility_date: '2026-01-01' }),
  );
  const wrangler = present(join(project.packages, 'node_modules/wrangler/bin/wrangler.js'), 'wrangler');
  const env = { WRANGLER_SEND_METRICS: 'false', CLOUDFLARE_CF_FETCH_ENABLED: 'false', CI: '1' };
  return {
    version: versionOf(project, 'wrangler'),
    ...(await use([project.node(24), wrangler], { cwd: folder, env })),
  };
}

async function deploy([node, wrangler], options) {
  await outputOf(node, [wrangler, 'deploy', '--dry-run', '--outdir', 'wrangler-out'], options);
  const wasm = readdirSync(join(options.cwd, 'wrangler-out')).filter((file) => file.includes('.wasm'));
  if (wasm.length !== 1) throw new Error(`expected one file with both binaries beside wrangler's bundle, got ${wasm}`);
  return {};
}

async function develop([node, wrangler], options) {
  const port = await freePort();
  const args = [wrangler, 'dev', '--local', '--ip', '127.0.0.1', '--port', String(port), '--inspector-port', '0'];
  return whileRunning(node, args, options, (failed) =>
    Promise.race([failed, after(120, 'wrangler dev'), fetchResult(`http://127.0.0.1:${port}/`)]),
  );
}
