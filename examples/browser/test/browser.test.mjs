/**
 * The page in Debian's Chromium: what it draws is compared, pixel by pixel, with what Node computes. Without Chromium,
 * nothing is tested.
 */

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  IntermediateLayerGetter,
  imageFromRgb,
  loadSafetensors,
  saveSafetensors,
  semanticSegmentation,
  squeezenet1_1,
  Tensor,
} from 'layertap';
import { heatmap, overlay } from 'layertap/tools';
import { chromium } from 'playwright-core';
import sharp from 'sharp';
import { digitsNetwork } from '../digits/network.mjs';
import { serve } from '../serve.mjs';

const CHROMIUM = '/usr/bin/chromium';

/** A bound on what hangs, in milliseconds: the machine may be busy. */
const PATIENCE = 240_000;

/** Neighbours among a colour map's 256 colours are at most so far apart; a binary's last bits may tell them apart. */
const SHADE = 5;

const path = (file) => fileURLToPath(new URL(file, import.meta.url));
const isMissing = !existsSync(CHROMIUM);
if (isMissing) console.error(`SKIPPED: the page's tests, since ${CHROMIUM} is not installed`);

describe('the page in Chromium', { skip: isMissing && `${CHROMIUM} is not installed` }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'layertap-browser-'));
  const stateDict = fill(squeezenet1_1());
  const file = join(folder, 'squeezenet1_1.safetensors');
  let [browser, server, url, page] = /** @type {any[]} */ ([]);
  const wrong = [];

  before(async () => {
    writeFileSync(file, saveSafetensors(stateDict));
    server = await serve(0);
    url = `http://127.0.0.1:${server.address().port}/`;
    const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-quic'];
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--no-sandbox', '--disable-gpu', '--no-first-run', ...quiet],
      timeout: PATIENCE,
    });
    page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE);
    page.on('pageerror', (error) => wrong.push(String(error)));
    page.on('console', (message) => message.type() === 'error' && wrong.push(message.text()));
    page.on('request', (request) => request.url().startsWith(url) || wrong.push(`left for ${request.url()}`));
    await page.goto(url);
    await said('status', /^Choose a photo\.$/);
  });
  after(async () => {
    await browser?.close();
    server?.closeAllConnections();
    server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** What the page says, once it matches. */
  async function said(role, pattern) {
    const place = page.getByRole(role).filter({ hasText: pattern });
    await place.waitFor();
    return place.textContent();
  }

  /** What is drawn: RGBA bytes and their size. */
  const drawn = () =>
    page.getByRole('img', { name: "The photo under the layer's heat map" }).evaluate((canvas) => {
      const { width, height } = canvas;
      return { width, height, data: Array.from(canvas.getContext('2d').getImageData(0, 0, width, height).data) };
    });

  /** What Node computes of the scene. */
  async function expected(model, weights, layer) {
    const { data, info } = await sharp(path('scene.png')).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    const image = imageFromRgb(data, info.width, info.height);
    const getter = new IntermediateLayerGetter(model, { [layer]: layer });
    getter.loadStateDict(weights, { strict: false });
    const feature = getter.forward(semanticSegmentation(image, { resizeSize: null })).get(layer);
    return overlay(image, heatmap(feature, { width: image.width, height: image.height }));
  }

  function assertClose(actual, { data, width, height }) {
    assert.deepEqual([actual.width, actual.height], [width, height]);
    const worst = actual.data.reduce((most, byte, i) => Math.max(most, Math.abs(byte - data[i])), 0);
    assert.ok(worst <= SHADE, `${worst} of 255`);
    assert.ok(new Set(data).size > 50, 'the map has many colours');
  }

  it("draws the digits network's layer4 over a photo, and any other layer", async () => {
    const weights = loadSafetensors(await readFile(path('../digits/weights.safetensors')));
    // This network's weights come with the folder.
    assert.equal(await page.locator('#weights').isVisible(), false);
    await page.locator('#photo').setInputFiles(path('scene.png'));
    await said('status', /^backbone\.layer4 of digits: \[1, 64, 32, 40\] in \d+ ms$/);
    assertClose(await drawn(), await expected(digitsNetwork(), weights, 'backbone.layer4'));
    await page.locator('#layer').selectOption('backbone.layer1');
    await said('status', /^backbone\.layer1 of digits: \[1, 16, 64, 80\] in \d+ ms$/);
    assertClose(await drawn(), await expected(digitsNetwork(), weights, 'backbone.layer1'));
  });

  it("asks for another network's weights, and reads them from a local file", async () => {
    await page.locator('#network').selectOption('squeezenet1_1');
    await said('status', /^Choose a file with weights of squeezenet1_1\.$/);
    assert.equal(await page.locator('#weights').isVisible(), true);
    await page.locator('#weights').setInputFiles(file);
    await said('status', /^features\.12 of squeezenet1_1: \[1, 512, \d+, \d+\] in \d+ ms$/);
    assertClose(await drawn(), await expected(squeezenet1_1(), stateDict, 'features.12'));
  });

  it('says what is wrong with weights and photos, and goes on', async () => {
    await page.locator('#weights').setInputFiles(path('../digits/weights.safetensors'));
    assert.match(await said('alert', /\S/), /conv1|features|key/);
    await page.locator('#network').selectOption('digits');
    await said('status', /^backbone\.layer4 of digits/);
    await page.locator('#photo').setInputFiles({ name: 'a.png', mimeType: 'image/png', buffer: Buffer.from('text') });
    assert.equal(await said('alert', /\S/), 'a.png: expected a picture that this browser can read');
    await page.locator('#photo').setInputFiles(path('scene.png'));
    await said('status', /^backbone\.layer4 of digits/);
    assert.deepEqual(wrong, [], 'nothing is in the console, and no request leaves');
  });
});

/** A state dict of seeded values, as large as keep activations of size 1. */
function fill(model) {
  let seed = 1;
  const next = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 32 - 0.5;
  };
  const filled = new Map();
  for (const [name, { shape }] of model.namedParameters()) {
    const inputs = shape.slice(1).reduce((product, size) => product * size, 1);
    const length = shape[0] * inputs;
    filled.set(
      name,
      new Tensor(
        Float32Array.from({ length }, () => next() * Math.sqrt(24 / inputs)),
        shape,
      ),
    );
  }
  return filled;
}
