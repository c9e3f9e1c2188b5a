/** The page as its user has it: controls by what they are called, pixels, messages. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import axe from 'axe-core';

/** What the page says once a run has ended. */
const RAN = /ran on .* in .*: \d+ layers?/;

/** How long something may take, in milliseconds: a bound on what hangs, not on time. */
export const PATIENCE = 240_000;

/** @typedef {import('playwright-core').Page} Page */

/** Waits until a network ran on a picture. @param {Page} page @param {string} picture @param {string} [network] */
export async function ran(page, picture, network = 'digits') {
  const isThere = (/** @type {Messages} */ { status, alert }) =>
    alert !== '' || status.startsWith(`${network} ran on ${picture} in `);
  const { status, alert } = await until(page, isThere, `${network} on ${picture}`);
  assert.equal(alert, '', 'no problem is told');
  assert.match(status, RAN);
}

/** The problem that is told. @param {Page} page */
export async function problem(page) {
  const { alert } = await until(page, (messages) => messages.alert !== '', 'a problem');
  return alert;
}

/** @typedef {{ readonly status: string, readonly alert: string }} Messages */

/** Waits for messages. @param {Page} page @param {(messages: Messages) => boolean} holds @param {string} what */
export async function until(page, holds, what) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const messages = await page.evaluate(() => ({
      status: document.querySelector('[role=status]')?.textContent ?? '',
      alert: document.querySelector('[role=alert]')?.textContent ?? '',
    }));
    if (holds(messages)) return messages;
    if (Date.now() > end) throw new Error(`waited for ${what}, got ${JSON.stringify(messages)}`);
    await page.waitForTimeout(50);
  }
}

/** The pixels of a picture by its label. @param {Page} page @param {string} label */
export async function pixels(page, label) {
  const canvas = page.getByRole('img', { name: label, exact: true });
  await canvas.waitFor();
  const { width, height, data } = await canvas.evaluate((element) => {
    const canvas = /** @type {HTMLCanvasElement} */ (element);
    const { width, height } = canvas;
    return { width, height, data: Array.from(canvas.getContext('2d')?.getImageData(0, 0, width, height).data ?? []) };
  });
  /** @param {number} x @param {number} y */
  const at = (x, y) => data.slice((y * width + x) * 4, (y * width + x) * 4 + 4);
  return { width, height, data, at };
}

/**
 * The processor time of the page's own tasks while something is done, in milliseconds, the longest first. Time in which
 * other processes run isn't in it.
 *
 * @param {Page} page @param {() => Promise<void>} use
 * @returns {Promise<number[]>}
 */
export async function taskTimes(page, use) {
  const session = await page.context().newCDPSession(page);
  /** @type {any[]} */
  const events = [];
  session.on('Tracing.dataCollected', ({ value }) => events.push(...value));
  const traceConfig = { includedCategories: ['toplevel'] };
  await session.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig });
  await use();
  const complete = new Promise((resolve) => session.once('Tracing.tracingComplete', resolve));
  await session.send('Tracing.end');
  await complete;
  await session.detach();
  const threadOf = (/** @type {any} */ { pid, tid }) => `${pid} ${tid}`;
  const named = events.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain');
  const main = new Set(named.map(threadOf));
  const tasks = events.filter((event) => /RunTask$/.test(event.name) && main.has(threadOf(event)));
  return tasks.map(({ tdur }) => tdur / 1000).sort((a, b) => b - a);
}

/** @typedef {{ name: string, mimeType: string, buffer: Buffer }} Given */

/** Gives files to an input by its label. @param {Page} page @param {string} label @param {...Given} files */
export async function give(page, label, ...files) {
  await page.getByLabel(label, { exact: true }).setInputFiles(files);
}

/** @param {string} name @param {Buffer} buffer @returns {Given} */
export const picture = (name, buffer) => ({ name, mimeType: 'image/png', buffer });

/** @param {string} name @param {Buffer | string} bytes @returns {Given} */
export const file = (name, bytes) => ({
  name,
  mimeType: 'application/octet-stream',
  buffer: typeof bytes === 'string' ? Buffer.from(bytes) : bytes,
});

/** axe-core's rules, and whether something lies beside the screen. @param {import('playwright-core').Page} page */
export async function check(page) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => /** @type {any} */ (globalThis).axe.run());
  /** @param {{ id: string, nodes: { html: string }[] }} violation */
  const told = ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`;
  assert.deepEqual(violations.map(told), []);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
}

/** @param {Record<string, Buffer | string>} files @param {(folder: string) => Promise<void>} use */
export async function withFolder(files, use) {
  const folder = mkdtempSync(join(tmpdir(), 'layertap-demo-'));
  try {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * In the page: drops files on an element, and tells whether the page takes them.
 *
 * @param {{ selector: string, files: readonly { name: string, bytes: number[], type?: string }[] }} given
 */
export function drop({ selector, files }) {
  const dataTransfer = new DataTransfer();
  for (const { name, bytes, type = 'image/png' } of files) {
    dataTransfer.items.add(new File([new Uint8Array(bytes)], name, { type }));
  }
  const events = ['dragover', 'drop'].map(
    (type) => new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }),
  );
  for (const event of events) document.querySelector(selector)?.dispatchEvent(event);
  return events.every((event) => event.defaultPrevented);
}

/** In the page: pastes a file. @param {{ name: string, bytes: number[] }} given */
export function paste({ name, bytes }) {
  const clipboardData = new DataTransfer();
  clipboardData.items.add(new File([new Uint8Array(bytes)], name, { type: 'image/png' }));
  document.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }));
}
