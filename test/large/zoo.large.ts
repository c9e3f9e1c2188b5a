/** Networks whose float32 weights don't fit: weights are stored as f16, and torchvision's are rounded to f16 too. */

import { writeFileSync } from 'node:fs';
import { afterAll } from 'vitest';
import { describeZoo, results, zooCases } from '../support/zoo.ts';

describeZoo(
  zooCases.filter(({ apart }) => apart !== undefined),
  { weightStorage: 'f16' },
);

afterAll(() => writeFileSync('test/large/result.json', `${JSON.stringify(results, null, 2)}\n`));
