/** What the command line says of a run while it goes on. */

import { afterEach, describe, expect, it, vi } from 'vitest';
import { progress } from '../../cli/src/print.js';

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
