/** Workers that have a network each: what becomes of a run where one has died. */

import { expect, it } from 'vitest';
import { Lanes } from '../../cli/src/lanes.js';

it('a batch for a worker that has died fails as those that the worker had', async () => {
  const lanes = new Lanes(1);
  const run = () => lanes.run([{ picture: 'a.png' }], () => {});
  lanes.start(
    {
      ...{ model: 'nothing', modelOptions: {}, layers: null, shape: [1, 3, 8, 8], deterministic: false },
      ...{ preparation: { preset: 'none', options: {} }, autoOrient: false, keepsInputs: false },
    },
    [],
  );
  const message = '--model: expected the name of one of ';
  // The worker is at work, is ending, and has ended.
  for (let i = 0; i < 3; i++) await expect(run()).rejects.toThrow(message);
  await lanes.close();
});
