/**
 * Optimizes binaries in place once more, which leaves less of them: `node scripts/shrink.mjs FILE…`. In a process of
 * its own, because asc leaves settings of its own in Binaryen.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import binaryen from 'binaryen';

const { SIMD128, RelaxedSIMD, BulkMemory, MutableGlobals, SignExt, NontrappingFPToInt } = binaryen.Features;

binaryen.setOptimizeLevel(3);
binaryen.setShrinkLevel(0);
// What is called from one place stays a function where it is large: engines replace its code by itself, and the
// binaries differ less.
binaryen.setOneCallerInlineMaxSize(40);
binaryen.setLowMemoryUnused(true); // asc's too: kernels' addresses begin beyond it
for (const file of process.argv.slice(2)) {
  const module = binaryen.readBinary(readFileSync(file));
  module.setFeatures(SIMD128 | RelaxedSIMD | BulkMemory | MutableGlobals | SignExt | NontrappingFPToInt);
  module.optimize();
  // Once more: functions that are alike are then alike in their locals' numbers, too, and compress better.
  module.runPasses(['reorder-locals']);
  writeFileSync(file, module.emitBinary());
  module.dispose();
}
