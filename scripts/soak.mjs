/**
 * Runs the soak of test/soak for a while, with other cases than `npm test` has: `npm run soak -- --minutes N --seed S`.
 * It ends at the first failure, which names the seed that begins with it; its log says how many of what were run.
 */

import { parseArgs } from 'node:util';
import { startVitest } from 'vitest/node';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '5' }, seed: { type: 'string', default: '1' } },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed);
if (!(minutes > 0 && minutes <= 24 * 60) || !Number.isSafeInteger(seed) || Math.abs(seed) > 2 ** 31) {
  console.error(
    `soak: expected --minutes above 0 and up to ${24 * 60}, and --seed as a whole number within ±2³¹, got ` +
      `${values.minutes} and ${values.seed}`,
  );
  process.exit(2);
}
const testTimeout = minutes * 60_000 + 600_000;
const vitest = await startVitest('test', ['test/soak'], {
  watch: false,
  testTimeout,
  provide: { soak: { minutes, seed } },
});
await vitest.close();
