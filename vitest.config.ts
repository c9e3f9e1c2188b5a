/** How the tests run: `npx vitest run`, or `npx vitest run test/goldens` for a folder. */

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/support/setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // No test is bounded by time, but by its work: these end what hangs, on a machine that is busy as well.
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
