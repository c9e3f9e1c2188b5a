/** Visits of the page in Debian's Chromium. Where there is none, their tests are skipped, loudly. */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before } from 'node:test';
import { chromium } from 'playwright-core';
import { PATIENCE, ran } from './page.mjs';
import { serve } from './server.mjs';

const CHROMIUM = '/usr/bin/chromium';

/** Why tests are skipped; false where they aren't. */
export const MISSING = !existsSync(CHROMIUM) && `${CHROMIUM} is not installed`;
if (MISSING) console.error(`SKIPPED: tests of the demo page, since ${MISSING}`);

/** A browser and a server for the tests of a suite. Returns how they visit the page. */
export function visits() {
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {{ url: string, close: () => void }} */
  let server;

  before(async () => {
    server = await serve();
    const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-quic'];
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--no-sandbox', '--disable-gpu', '--no-first-run', ...quiet, '--use-fake-device-for-media-stream'],
    });
  });
  after(async () => {
    await browser?.close();
    server?.close();
  });

  /**
   * Opens the page, and afterwards looks for what must be so of every visit: nothing in the console, no request that
   * leaves.
   *
   * @param {(page: import('playwright-core').Page) => Promise<void>} use once the digits network has run
   * @param {{ url?: string, setup?: (context: import('playwright-core').BrowserContext) => Promise<unknown>,
   *   may?: RegExp, runs?: boolean } & import('playwright-core').BrowserContextOptions} options `may` leave, or be in
   *   the console; `runs` false where the digits network can't
   */
  async function visit(use, { url = server.url, setup, may = /^$/, runs = true, ...options } = {}) {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(PATIENCE);
    await setup?.(context);
    /** @type {string[]} */
    const wrong = [];
    const note = (/** @type {string} */ text) => may.test(text) || wrong.push(text);
    const page = await context.newPage();
    page.on('console', (message) => /error|warning/.test(message.type()) && note(message.text()));
    page.on('pageerror', (error) => note(String(error)));
    context.on('request', (request) => {
      if (!request.url().startsWith(url) && !request.url().startsWith('blob:')) note(`left for ${request.url()}`);
    });
    try {
      await page.goto(url);
      if (runs) {
        await ran(page, 'scene.png');
        // The networks' names come last.
        await page.locator('#network:enabled').waitFor();
      }
      await use(page);
      assert.deepEqual(wrong, []);
    } finally {
      await context.close();
    }
  }

  return visit;
}
