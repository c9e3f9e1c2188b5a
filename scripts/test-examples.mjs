/**
 * Runs the tests of all examples, each copied out of the repository, with the packed tarballs installed as its README
 * says, and those of the packed command line: `npm run test:examples [-- NAME …]`, where `cli` is the command line.
 */

import { spawnSync } from 'node:child_process';
import { EXAMPLES, NPMS, root, runScript, withCopies } from './examples.mjs';

const asked = process.argv.slice(2);
withCopies((copy) => {
  for (const name of asked.length > 0 ? asked : [...EXAMPLES, 'cli']) {
    console.log(`\n${name}, outside of the repository:`);
    if (run(name) !== 0) process.exitCode = 1;
  }

  function run(name) {
    if (name === 'cli') return test(root, 'test/cli/packed.test.mjs');
    // Versions of npm install the Worker example's kind of dependencies, optional ones for each platform, in their own
    // ways.
    const versions = name === 'cloudflare-worker' ? NPMS : [];
    const failed = versions.filter((npm) => test(copy(name, npm), 'test/service.test.mjs') !== 0);
    for (const npm of failed) console.error(`${name}, installed by ${npm}: expected its service to work, got failures`);
    return failed.length + runScript(copy(name), 'test');
  }

  function test(cwd, file) {
    return spawnSync(process.execPath, ['--test', '--test-reporter=spec', file], { cwd, stdio: 'inherit' }).status;
  }
});
