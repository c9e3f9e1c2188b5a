/** The documentation's site: docs/ as VitePress shows it, with a search that works offline. */

import { posix } from 'node:path';

const REPOSITORY = 'https://github.com/layertap/layertap';

/** A list of pages. @param {string} text @param {readonly (readonly [title: string, page: string])[]} pages */
const section = (text, pages) => ({ text, items: pages.map(([title, page]) => ({ text: title, link: `/${page}` })) });

/**
 * Links to what lies outside of docs/ lead to the repository. @param {any} md markdown-it
 */
function linksToRepository(md) {
  md.core.ruler.push('repository', (/** @type {any} */ { tokens, env }) => {
    for (const { children } of tokens) {
      for (const token of children ?? []) {
        const href = token.type === 'link_open' ? token.attrGet('href') : null;
        const path =
          href && !/^[a-z]+:|^[#/]/.test(href) ? posix.join('docs', posix.dirname(env.relativePath), href) : null;
        if (path && !path.startsWith('docs/')) token.attrSet('href', `${REPOSITORY}/blob/main/${path}`);
      }
    }
  });
}

/**
 * Shows indented code, which VitePress gives neither a frame nor a bar to scroll by, as it shows fenced code. All of it
 * is commands.
 *
 * @param {any} md markdown-it
 */
function framesForCommands(md) {
  md.core.ruler.push('commands', (/** @type {any} */ { tokens }) => {
    for (const token of tokens) if (token.type === 'code_block') Object.assign(token, { type: 'fence', info: 'sh' });
  });
}

export default {
  title: 'layertap',
  description: "Activations of a torchvision network's layers, wherever JavaScript runs",
  lang: 'en',
  srcDir: '../../docs',
  outDir: '../../out/docs',
  cacheDir: '../../out/docs-cache',
  lastUpdated: false,
  // TypeDoc writes the reference after the pages; build.mjs checks links to it.
  ignoreDeadLinks: [/^\/reference\//],
  markdown: {
    config(/** @type {any} */ md) {
      linksToRepository(md);
      framesForCommands(md);
    },
  },
  // The pages lie where there are no packages; what renders them finds these from here.
  vite: {
    plugins: [
      {
        name: 'vue-from-here',
        enforce: 'pre',
        resolveId(id, _importer, { ssr = false }) {
          return ssr && /^vue(\/server-renderer)?$/.test(id) ? { id, external: true } : null;
        },
      },
    ],
  },
  themeConfig: {
    search: { provider: 'local' },
    socialLinks: [{ icon: 'github', link: REPOSITORY }],
    outline: [2, 3],
    nav: [
      { text: 'Guide', link: '/first-tap' },
      { text: 'Reference', link: '/reference/index.html', target: '_self' },
    ],
    sidebar: [
      section('Begin', [
        ['First tap in five minutes', 'first-tap'],
        ['From PyTorch', 'from-pytorch'],
        ['Weights', 'weights'],
        ['Any layer', 'features'],
        ['Your own network', 'own-network'],
      ]),
      section('Tasks', [
        ['Answers', 'answers'],
        ['Embeddings and nearest neighbours', 'embeddings'],
        ['The same vectors every time', 'determinism'],
        ['The command line', 'command-line'],
      ]),
      section('Where it runs', [
        ['Hosts', 'hosts'],
        ['Browsers and web workers', 'browsers'],
        ['Workers and edge runtimes', 'edge'],
        ['What was tried', 'runtimes'],
      ]),
      section('Speed and memory', [
        ['Speed', 'speed'],
        ['Threads', 'threads'],
        ['Memory', 'memory'],
        ['Benchmarks', 'benchmarks'],
      ]),
      section('Look up', [
        ['Equal to PyTorch', 'pytorch'],
        ['torch.nn: there, or not', 'torch-nn'],
        ['Errors', 'errors'],
        ['How it works', 'how-it-works'],
      ]),
    ],
  },
};
