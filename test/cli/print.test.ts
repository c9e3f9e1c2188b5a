/** What the command line says of a run while it goes on. */

import { afterEach, describe, expect, it, vi } from 'vitest';
import { Bar } from '../../cli/src/bar.js';
import { progress, status } from '../../cli/src/print.js';

afterEach(() => vi.unstubAllGlobals());

describe('progress', () => {
  it('is told in per cent of the multiplications, on a terminal alone', () => {
    for (const isTTY of [true, false]) {
      const written: string[] = [];
      vi.stubGlobal('process', { stderr: { isTTY, write: (text: string) => void written.push(text) } });
      const onProgress = progress('running resnet18');
      onProgress({ child: 'layer1', done: 1, total: 3 });
      onProgress({ child: 'layer2', done: 3, total: 3 });
      onProgress({ child: '', done: 0, total: 0 });
      const lines = [
        'running resnet18 …',
        'running resnet18: 33 %',
        'running resnet18: 100 %',
        'running resnet18: 100 %',
      ];
      expect(written).toEqual(isTTY ? lines.map((line) => `\r\x1b[K${line}`) : []);
    }
  });
});

/** What is written to a stderr that is a terminal, or isn't. */
function writtenBy(stderr: { isTTY: boolean; columns?: number }, use: () => void): string[] {
  const written: string[] = [];
  vi.stubGlobal('process', { stderr: { ...stderr, write: (text: string) => void written.push(text) } });
  use();
  return written;
}

describe('a status', () => {
  it('stays within a line, of which no terminal wraps a part', () => {
    const written = writtenBy({ isTTY: true, columns: 20 }, () => status('reading weights, 44.6 MiB: 3 %'));
    expect(written).toEqual(['\r\x1b[Kreading weights, 44']);
  });
});

describe('a bar', () => {
  const run = () => {
    const bar = new Bar(4, {});
    bar.update(0);
    bar.update(1);
    bar.clear();
    bar.update(2);
    bar.clear();
  };

  it('is a line of a terminal, which is cleared before another line and in the end', () => {
    const written = writtenBy({ isTTY: true, columns: 80 }, run);
    expect(written.map((text) => text.replace(/\d+ s left/, 'N s left'))).toEqual([
      `\r\x1b[K${'='.repeat(7)}${'-'.repeat(23)} 25 %, 1 of 4 pictures, N s left`,
      '\r\x1b[K',
      `\r\x1b[K${'='.repeat(15)}${'-'.repeat(15)} 50 %, 2 of 4 pictures, N s left`,
      '\r\x1b[K',
    ]);
  });

  it('changes nothing of the terminal that a signal would leave so: the cursor, or how lines wrap', () => {
    const [, ...sequences] = writtenBy({ isTTY: true }, run).join('').split('\x1b');
    expect(new Set(sequences.map((text) => text.slice(0, 2)))).toEqual(new Set(['[K']));
  });

  it('is nothing at once where there is no terminal, for one picture, and where it is to be quiet', () => {
    expect(writtenBy({ isTTY: false }, run)).toEqual([]);
    expect(writtenBy({ isTTY: true }, () => new Bar(1, {}).update(1))).toEqual([]);
    expect(writtenBy({ isTTY: true }, () => new Bar(4, { quiet: true }).update(1))).toEqual([]);
  });
});
