/**
 * Pages with threads, as bundlers make them of page-threads.mjs in a user's project: each writes files beside it, and
 * returns the page.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import * as vite from 'vite';
import webpack from 'webpack';

const ENTRY = 'page-threads.mjs';
const withScript = (src) => `<!doctype html><title>layertap</title><script type="module" src="${src}"></script>`;

/**
 * esbuild doesn't follow `new URL('./worker.js', import.meta.url)`: the worker is an entry point of its own, which
 * lands beside the page's.
 */
export async function pageByEsbuild(folder) {
  await build({
    absWorkingDir: folder,
    entryPoints: { page: ENTRY, worker: 'layertap/threads/worker.js' },
    outdir: 'by-esbuild',
    bundle: true,
    format: 'esm',
    logLevel: 'error',
  });
  return withScript('/by-esbuild/page.js');
}

/** Vite follows it. */
export async function pageByVite(folder) {
  const html = join(folder, 'by-vite.html');
  writeFileSync(html, withScript(`/${ENTRY}`));
  const outDir = join(folder, 'by-vite');
  await vite.build({
    root: folder,
    base: '/by-vite/',
    configFile: false,
    logLevel: 'error',
    build: { outDir, rollupOptions: { input: html } },
  });
  return readFileSync(join(outDir, 'by-vite.html'), 'utf8');
}

/** webpack does as well. */
export async function pageByWebpack(folder) {
  await new Promise((resolve, reject) => {
    const config = {
      mode: 'production',
      context: folder,
      entry: `./${ENTRY}`,
      output: { path: join(folder, 'by-webpack'), publicPath: '/by-webpack/', filename: 'page.js' },
    };
    webpack(config, (error, stats) => {
      if (error || stats.hasErrors()) reject(error ?? new Error(stats.toString({ colors: false })));
      else resolve(undefined);
    });
  });
  return withScript('/by-webpack/page.js');
}
