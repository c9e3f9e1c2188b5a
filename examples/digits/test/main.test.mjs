/** The example as a reader runs it: `npm start` in this folder. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadSafetensors } from 'layertap';
import sharp from 'sharp';

it("writes PyTorch's mask and two heat maps, and says what it found", async () => {
  const folder = mkdtempSync(join(tmpdir(), 'layertap-digits-'));
  try {
    const main = fileURLToPath(new URL('../main.mjs', import.meta.url));
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, folder], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    assert.deepEqual(readdirSync(folder).sort(), ['aux.png', 'mask.png', 'out.png']);
    const golden = loadSafetensors(readFileSync(new URL('../golden.safetensors', import.meta.url))).get('argmax');
    const mask = await sharp(join(folder, 'mask.png')).metadata();
    assert.deepEqual([mask.height, mask.width], [...golden.shape]);
    const counts = new Map();
    for (const label of golden.data) counts.set(label, (counts.get(label) ?? 0) + 1);
    const found = [...counts].filter(([label, pixels]) => label > 0 && pixels >= 50).sort(([a], [b]) => a - b);
    const listed = found.map(([label, pixels]) => `${label - 1} (${pixels} pixels)`).join(', ');
    assert.ok(stdout.includes(`digits found: ${listed}\n`), stdout);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
