/**
 * How the page is built and served: static files with relative addresses, so that they can lie in any folder of any
 * host. The preview sends the headers that make a page cross-origin isolated, which threads need. `public/_headers`
 * asks hosts for them that read such a file.
 */

import { defineConfig } from 'vite';

const headers = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

const server = { host: '127.0.0.1', port: 4173, strictPort: true, headers };

/** Has the page's own code fetched beside the script that starts the worker, which asks for it later. */
const preloadPage = {
  name: 'preload-page',
  transformIndexHtml: {
    order: /** @type {const} */ ('post'),
    /** @param {string} _html @param {import('vite').IndexHtmlTransformContext} context */
    handler(_html, { bundle = {} }) {
      const page = Object.values(bundle).find((file) => file.type === 'chunk' && file.name === 'page');
      if (!page) return [];
      const attrs = { rel: 'modulepreload', crossorigin: true, href: `./${page.fileName}` };
      return [{ tag: 'link', attrs, injectTo: /** @type {const} */ ('head') }];
    },
  },
};

const keepNames = { class: true, function: false };

export default defineConfig({
  plugins: [preloadPage],
  base: './',
  // Nothing as data: in scripts, which the page's policy refuses.
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  // The tree shows classes by their names. Functions need none.
  worker: {
    format: 'es',
    rolldownOptions: { output: { minify: { mangle: { keepNames }, compress: { keepNames } } } },
  },
  preview: server,
  // The digits network lies in examples/.
  server: { ...server, fs: { allow: ['..'] } },
});
