/**
 * Runs the tests of all examples, each copied out of the repository, with the packed tarballs installed, and those of
 * the packed command line: `npm run test:examples [-- NAME …]`, where `cli` names the command line.
 */

import { spawnSync } from 'node:child_process';
import { EXAMPLES, runScript, withCopies } from './examples.mjs';

const asked = process.argv.slice(2);
withCopies((copy) => {
  for (const name of asked.length > 0 ? asked : [...EXAMPLES, 'cli']) {
    console.log(`\n${name}, outside of the repository:`);
    if (run(name) !== 0) process.exitCode = 1;
  }

  function run(name) {
    if (name !== 'cli') return runScript(copy(name), 'test');
    const args = ['--test', '--test-reporter=spec', 'test/cli/packed.test.mjs'];
    return spawnSync(process.execPath, args, { stdio: 'inherit' }).status;
  }
});
