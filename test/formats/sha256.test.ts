/** openWeights's sha256: the first digits of the file's hash, compared wherever the whole file is in memory. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { loadWeights, openWeights } from '../../src/formats/open-weights.ts';
import { servedBytes, serveFile } from '../support/file-server.ts';
import { rejection } from '../support/thrown.ts';

const bytes = new Uint8Array(readFileSync('test/goldens/pth/state-dict.zip.pth'));
const digits = createHash('sha256').update(bytes).digest('hex');
const wrong = digits.replace(/^./, (digit) => (digit === '0' ? '1' : '0')).slice(0, 8);

describe('a file whose hash is another one', () => {
  const message =
    `FormatError: openWeights: expected a file whose SHA-256 begins with ${wrong}, got ${digits.slice(0, 8)} of ` +
    `${bytes.length} bytes; the file is damaged, or another one`;

  it('is refused as bytes', async () => {
    expect(await rejection(() => loadWeights(bytes, { sha256: wrong }))).toBe(message);
  });

  it('is refused as a zip from a stream, and from a server without ranges', async () => {
    expect(await rejection(() => openWeights(new Blob([bytes]).stream(), { sha256: wrong }))).toBe(message);
    await using server = await serveFile(servedBytes(bytes), { ranges: false });
    expect(await rejection(() => openWeights(server.url, { sha256: wrong }))).toBe(
      message.replace('FormatError: ', `FormatError: ${server.url}: `),
    );
  });

  it('is taken where parts of it are read, or the host has no crypto.subtle', async () => {
    await using server = await serveFile(servedBytes(bytes));
    expect((await openWeights(server.url, { sha256: wrong })).format).toBe('pth');
    vi.stubGlobal('crypto', {});
    try {
      expect((await openWeights(bytes, { sha256: wrong })).format).toBe('pth');
    } finally {
      vi.unstubAllGlobals();
    }
  });
});

it.each([1, 8, 10, 64])('a file whose hash begins with the given %i digits is taken', async (count) => {
  expect((await loadWeights(bytes, { sha256: digits.slice(0, count) })).size).toBeGreaterThan(0);
});

it.each(['', 'ABCDEF', 5])('digits that can be no hash are refused: %j', async (sha256) => {
  expect(await rejection(() => openWeights(bytes, { sha256: sha256 as string }))).toBe(
    `ValueError: openWeights: expected sha256 as its first digits in hexadecimal, got ${JSON.stringify(sha256)}`,
  );
});
