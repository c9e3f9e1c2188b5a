/** `npm run test:large`: networks that are too large for `npm test`. Their last result is test/large/result.json. */

import { defineConfig, mergeConfig } from 'vitest/config';
import shared from '../../vitest.config.ts';

export default mergeConfig(defineConfig({ ...shared, test: { ...shared.test, include: [] } }), {
  test: { include: ['test/large/*.large.ts'] },
});
