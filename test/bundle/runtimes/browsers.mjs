/**
 * Debian's browsers, each opening a page that computes in its window and in a web worker, and posts what came out; and
 * cross-origin isolated pages with a pool of threads. All come under a strict Content-Security-Policy that allows
 * WebAssembly ('wasm-unsafe-eval') and nothing else. Started as commands, not by selenium-webdriver: Debian has no
 * geckodriver, npm's downloads one, and a page that posts needs no driver.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import sirv from 'sirv';
import { after, outputOf, present, whileRunning } from '../command.mjs';
import { pageByEsbuild, pageByVite, pageByWebpack } from '../pages.mjs';

const POLICY =
  "default-src 'none'; connect-src 'self'; worker-src 'self'; script-src 'self' 'nonce-map' 'wasm-unsafe-eval'";

/** What makes a page cross-origin isolated. */
const ISOLATION = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };

const DIST = '/node_modules/layertap/dist';
const IMPORTS = { layertap: `${DIST}/index.js`, 'layertap/threads': `${DIST}/threads/index.js` };

/** A page without a bundler. */
const plainPage = (script) => `<!doctype html><title>layertap</title>
<script type="importmap" nonce="map">${JSON.stringify({ imports: IMPORTS })}</script>
<script type="module" src="/${script}"></script>`;

/** Cross-origin isolated pages. */
const ISOLATED = {
  'no bundler': async () => plainPage('page-threads.mjs'),
  'in a web worker': async () => plainPage('page-worker-threads.mjs'),
  esbuild: pageByEsbuild,
  vite: pageByVite,
  webpack: pageByWebpack,
};

/** Pages that were made, which all browsers share. */
const pages = new Map();

/** How each is asked for its version, and started on a page with an empty profile. */
const BROWSERS = {
  chromium: {
    title: 'Chromium',
    hasThreads: true,
    file: '/usr/bin/chromium',
    version: (file) => [file, '--version'],
    command: (file, url, profile) => [
      file,
      ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
      ...['--disable-background-networking', '--disable-component-update', `--user-data-dir=${profile}`, url],
    ],
  },
  firefox: {
    title: 'Firefox',
    hasThreads: true,
    file: '/usr/bin/firefox-esr',
    version: (file) => [file, '--version'],
    command(file, url, profile) {
      const off = [
        'app.update.enabled',
        'datareporting.policy.dataSubmissionEnabled',
        'browser.shell.checkDefaultBrowser',
      ];
      writeFileSync(join(profile, 'user.js'), off.map((name) => `user_pref("${name}", false);\n`).join(''));
      return [file, '--headless', '--no-remote', '--profile', profile, url];
    },
  },
  webkit: {
    title: 'WebKitGTK',
    hasThreads: false, // no SharedArrayBuffer, even on a cross-origin isolated page
    file: '/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser',
    version: (file) => onScreen(file, '--version'),
    command: (file, url) => onScreen(file, '--private', url),
    env: { WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1', NO_AT_BRIDGE: '1' },
  },
};

export const checks = async (project, group) => {
  const browser = BROWSERS[group];
  let running = null;
  const results = () => {
    running ??= open(browser, project.folder, plainPage('page.mjs'));
    return running;
  };
  const isolated = Object.entries(ISOLATED).map(([bundler, page]) => [
    `${browser.title}, layertap/threads, ${bundler}`,
    async () => {
      present(browser.file, `${browser.title} (${browser.file})`);
      if (!pages.has(page)) pages.set(page, page(project.folder));
      return (await open(browser, project.folder, await pages.get(page), ISOLATION)).window;
    },
  ]);
  return [
    [`${browser.title}, window, strict CSP`, async () => (await results()).window],
    [`${browser.title}, web worker, strict CSP`, async () => (await results()).worker],
    ...(browser.hasThreads ? isolated : []),
  ];
};

async function open({ title, file, version, command, env }, folder, page, headers = {}) {
  present(file, `${title} (${file})`);
  const [, number] = /([\d.]+)/.exec(await outputOf(...split(version(file)), { cwd: folder }));
  const profile = mkdtempSync(join(tmpdir(), 'layertap-profile-'));
  const server = createServer();
  const files = sirv(folder, { dev: true, etag: false });
  const posted = new Promise((resolve) => {
    server.on('request', (request, response) => serve(request, response, { files, page, headers, resolve }));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const url = `http://127.0.0.1:${server.address().port}/`;
    const [program, args] = split(command(file, url, profile));
    const use = (failed) => Promise.race([failed, after(120, title), posted]);
    const result = await whileRunning(program, args, { cwd: profile, env: { ...env, HOME: profile } }, use);
    if (result.error) throw new Error(result.error);
    return { window: { version: number, ...result.window }, worker: { version: number, ...result.worker } };
  } finally {
    server.closeAllConnections();
    server.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** A command with a screen that nobody sees. */
const onScreen = (...command) => [present('/usr/bin/xvfb-run', 'WebKitGTK: xvfb-run'), '-a', ...command];

const split = ([command, ...args]) => [command, args];

/** The page, files of the project, and the result that the page posts. */
function serve(request, response, { files, page, headers, resolve }) {
  response.setHeaders(new Map(Object.entries({ 'content-security-policy': POLICY, ...headers })));
  if (request.method === 'POST' && request.url === '/result') {
    return json(request).then((result) => {
      response.end();
      resolve(result);
    });
  }
  if (request.url === '/') return response.setHeader('content-type', 'text/html').end(page);
  files(request, response);
}
