/**
 * The page in Debian's Firefox, by WebDriver BiDi: what Chromium's tests show of the page itself isn't asked again, but
 * that this browser computes, decodes and draws the same. Where there is no Firefox, all is skipped, loudly.
 */

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { loadSafetensors } from 'layertap';
import { distinctPalette } from 'layertap/tools';
import puppeteer from 'puppeteer-core';
import { CLASSES, classifier, halves, PROBABILITY, SEEN, stripes } from './fixtures.mjs';
import { PATIENCE } from './page.mjs';
import { serve } from './server.mjs';

const FIREFOX = '/usr/bin/firefox-esr';

const isMissing = !existsSync(FIREFOX);
if (isMissing) console.error(`SKIPPED: the demo page's tests in Firefox, since ${FIREFOX} is not installed`);

describe('the page in Firefox', { skip: isMissing && `${FIREFOX} is not installed` }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'layertap-demo-'));
  /** @type {{ url: string, close: () => void }} */
  let server;
  /** @type {import('puppeteer-core').Browser} */
  let browser;
  /** @type {import('puppeteer-core').Page} */
  let page;
  /** @type {string[]} */
  const wrong = [];

  before(async () => {
    server = await serve();
    browser = await puppeteer.launch({
      browser: 'firefox',
      executablePath: FIREFOX,
      headless: true,
      userDataDir: join(folder, 'profile'),
      extraPrefsFirefox: { 'app.update.enabled': false, 'datareporting.policy.dataSubmissionEnabled': false },
      protocolTimeout: PATIENCE,
      timeout: PATIENCE,
    });
    page = await browser.newPage();
    page.on('console', (message) => {
      if (/error|warn/.test(message.type())) wrong.push(message.text());
    });
    page.on('pageerror', (error) => wrong.push(String(error)));
    await page.goto(server.url);
  });
  after(async () => {
    await browser?.close();
    server?.close();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 1000 });
  });

  const text = (/** @type {string} */ selector) =>
    page.evaluate((found) => document.querySelector(found)?.textContent ?? '', selector);

  /** @param {string} begin of what is said once it is done */
  async function said(begin) {
    const isThere = (/** @type {string} */ expected) =>
      document.querySelector('[role=alert]')?.textContent !== '' ||
      document.querySelector('[role=status]')?.textContent?.startsWith(expected);
    await page.waitForFunction(isThere, { timeout: PATIENCE, polling: 100 }, begin);
    assert.equal(await text('[role=alert]'), '');
  }

  /** @param {string} selector @param {Record<string, Buffer>} files */
  async function give(selector, files) {
    const paths = Object.entries(files).map(([name, bytes]) => {
      writeFileSync(join(folder, name), bytes);
      return join(folder, name);
    });
    const input = /** @type {import('puppeteer-core').ElementHandle<HTMLInputElement>} */ (await page.$(selector));
    await input.uploadFile(...paths);
  }

  it('shows the digits scene’s mask, pixel by pixel', async () => {
    await said('digits ran on scene.png in ');
    const golden = readFileSync(new URL('../../examples/digits/golden.safetensors', import.meta.url));
    const classes = Array.from(loadSafetensors(golden).get('argmax')?.data ?? [], Number);
    const palette = [[0, 0, 0], ...distinctPalette(10)];
    const data = await page.evaluate(() => {
      const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector('[aria-label="The mask alone"]'));
      return Array.from(canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? []);
    });
    assert.deepEqual(
      data,
      classes.flatMap((index) => [...palette[index], 255]),
    );
  });

  it('runs on a photo, and classifies by a local weight file', async () => {
    await give('#photo-file', { 'halves.png': halves });
    await said('digits ran on halves.png in ');
    await give('#weights-file', { 'shufflenet_v2_x0_5.safetensors': classifier() });
    await said('shufflenet_v2_x0_5 ran on halves.png in ');
    assert.ok(CLASSES > SEEN);
    assert.equal(await text('.classes li'), `class ${SEEN}${(PROBABILITY * 100).toFixed(1)} %`);
  });

  it('compares photos', async () => {
    await page.click('#tab-similarity');
    await give('#similar-files', { 'a.png': halves, 'b.png': halves, 'c.png': stripes });
    await said('3 photos are compared');
    const cells = await page.$$eval('tbody td', (found) => found.map((cell) => Number(cell.textContent)));
    assert.equal(cells.length, 9);
    assert.deepEqual([cells[0], cells[1], cells[4], cells[8]], [1, 1, 1, 1]);
    assert.ok(cells[2] < 1);
  });

  it('has nothing in the console', () => assert.deepEqual(wrong, []));
});
