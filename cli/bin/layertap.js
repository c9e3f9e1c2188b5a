#!/usr/bin/env node
/**
 * The command `layertap`: loads the program, or says in one line why it can't (the core isn't built, packages are
 * missing).
 */

try {
  const { run } = await import('../src/program.js');
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
  if (code !== 'ERR_MODULE_NOT_FOUND') throw error;
  const name = /'([^']*)'/.exec(message)?.[1] ?? 'a module';
  const wayOut = /^[@a-z]/.test(name) ? 'run `npm ci` in the repository' : 'run `npm run build` in the repository';
  process.stderr.write(`layertap: expected the core built and its packages installed, got no ${name}; ${wayOut}\n`);
  process.exitCode = 1;
}
