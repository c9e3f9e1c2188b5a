/**
 * Writes dist/ from src/: each entry as one module, with what several of them need in chunks that they share, and
 * source maps. An import of many files takes ten times as long. Types are TypeScript's own, a file for each source that
 * an entry's types lead to.
 */

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { rolldown } from 'rolldown';
import ts from 'typescript';
import { marked } from './pure.mjs';
import { shortened } from './short-names.mjs';
import { rearranged } from './statements.mjs';

/** Export conditions of hosts that forbid compiling, with a file src/wasm/modules.CONDITION.ts each. */
export const CONDITIONS = ['workerd', 'edge-light'];

/** The file of which each condition has its own. */
const VARYING = resolve('src/wasm/modules.ts');

/** The entries beside the main one, and their sources. The last isn't published: it is what the benchmarks look at. */
const ENTRIES = {
  'threads/index': 'src/threads/index.ts',
  'node/index': 'src/node/index.ts',
  'wasm/relaxed': 'src/wasm/relaxed.ts',
  internals: 'bench/internals.mjs',
};

/**
 * The same, but last: the order of entries is that of the files in the chunks, which a compressor finds by a hundred
 * bytes smaller as the others have it.
 */
const LAST_ENTRIES = { 'tools/index': 'src/tools/index.ts' };

/** Entries that depend on the binaries, so that each condition has its own. */
const VARIED = {
  index: 'src/index.ts',
  'models/registry': 'src/models/registry.ts',
  'weights/index': 'src/weights/index.ts',
  'hub/index': 'src/hub/index.ts',
};

/**
 * Names of index.ts that are a module as a whole: such a module stays one of its own, so that bundlers drop what isn't
 * used of it.
 */
const NAMESPACES = { functional: 'src/nn/functional.ts', models: 'src/models/index.ts' };

/** What a declaration imports, types by `import('./x.ts').X` included. */
const IMPORTED = /(?<=\b(?:from |import\()['"])(\.[^'"]*)\.ts(?=['"])/g;

const WASM = /\.wasm\?module$/;

/**
 * Sources, and what they declare, in an order that compresses well: scripts/size/order.mjs has found it.
 *
 * @type {{ readonly sources: readonly string[], readonly statements: readonly string[] }}
 */
const ORDER = JSON.parse(readFileSync(new URL('order.json', import.meta.url), 'utf8'));

/** The name of the entry that brings that order about. */
const ORDER_ENTRY = 'order';

/** The options of all bundles. @type {import('rolldown').InputOptions} */
const INPUT = {
  platform: 'neutral',
  tsconfig: false,
  // As in tsconfig.json: a field without a value is a type, not a property.
  transform: {
    target: 'es2022',
    assumptions: { setPublicClassFields: true },
    typescript: { removeClassFieldsWithoutInitializer: true },
  },
  checks: { pluginTimings: false },
};

/** Docstrings are in the types, and the sources in the maps. @type {import('rolldown').OutputOptions} */
const OUTPUT = {
  dir: 'dist',
  format: 'es',
  sourcemap: true,
  comments: { legal: true, annotation: true, jsdoc: false },
  // What can be said in fewer words, with names of functions and classes, and lines, kept: users' minifiers don't find
  // all of it, and an engine reads less.
  minify: {
    compress: { keepNames: { class: true, function: true } },
    mangle: { toplevel: false, keepNames: { class: true, function: true } },
    codegen: { removeWhitespace: false },
  },
};

/**
 * Writes all entries' modules.
 *
 * @param {readonly string[]} sources all files of src/
 * @param {ReadonlyMap<string, string>} names short ones of properties
 */
export async function bundle(sources, names) {
  const twins = twinsOf(sources);
  const variants = ['', ...CONDITIONS.map((condition) => `.${condition}`)];
  /** @type {Record<string, string>} */
  const input = { [ORDER_ENTRY]: ORDER_ENTRY, ...ENTRIES };
  for (const variant of variants) {
    for (const [name, file] of Object.entries(VARIED))
      input[name + variant] = resolve(file) + variant.replace('.', '?');
    for (const [name, file] of Object.entries(NAMESPACES)) {
      const isTwin = twins.has(resolve(file));
      if (variant === '' || isTwin) input[`chunks/${name}${variant}`] = resolve(file) + variant.replace('.', '?');
    }
  }
  Object.assign(input, LAST_ENTRIES);
  const bundled = await rolldown({
    ...INPUT,
    input,
    plugins: [variantsPlugin(twins), namesPlugin(names), purePlugin, orderPlugin(twins)],
  });
  /** Which chunk a file goes to, where it isn't an entry's own. @param {string} id */
  const chunkOf = (id) => {
    const [file, condition = CONDITIONS.find((name) => id.endsWith(`/modules.${name}.ts`))] = id.split('?');
    if (
      !file.startsWith(resolve('src')) ||
      /\/(threads|node|tools)\/|\/(relaxed|registry)\.ts$|\/src\/index\.ts$/.test(file)
    )
      return null;
    // What is known of weights depends on no binary, and is nobody's who doesn't ask for it.
    if (file.startsWith(resolve('src/weights'))) return twins.has(file) ? null : 'weights';
    // Imported first: a compressor looks back 32 kB, and that many bytes amid the code would hide one half from the
    // other.
    if (file.endsWith('/binaries.gen.ts')) return 'binaries';
    if (file.includes('/src/hub/')) return twins.has(file) || file.endsWith('/index.ts') ? null : 'hub';
    return condition ?? (twins.has(file) ? 'main' : 'common');
  };
  const chunks = ['binaries', 'common', 'hub', 'main', 'weights', ...CONDITIONS];
  const groups = chunks.map((name) => ({ name, test: (id) => chunkOf(id) === name }));
  await write(bundled, {
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name].js',
    codeSplitting: { groups },
  });
  for (const extension of ['js', 'js.map']) rmSync(`dist/${ORDER_ENTRY}.${extension}`, { force: true });
  // By itself: a worker loads nothing that it doesn't need.
  const worker = await rolldown({
    ...INPUT,
    input: { 'threads/worker': 'src/threads/worker.ts' },
    plugins: [namesPlugin(names)],
  });
  await write(worker, { codeSplitting: false });
}

/**
 * Writes a bundle's files. @param {import('rolldown').RolldownBuild} bundled @param {import('rolldown').OutputOptions}
 * options
 */
async function write(bundled, options) {
  const { output } = await bundled.write({ ...OUTPUT, ...options });
  await bundled.close();
  for (const { fileName, ...file } of output) {
    if (file.type !== 'chunk') continue;
    const code = file.code
      // Behind the other imports, so that the binaries come first. The order changes nothing else: chunks do nothing
      // while they load.
      .replace(/^(import .*\bcommon\.js";\n)((?:import .*\n)+)/, '$2$1')
      .replace(/(?<=\bfrom ")dist:([^"]*)/g, (_, to) => relative(dirname(fileName), to).replace(/^(?!\.)/, './'))
      // A single character beyond Latin-1 makes an engine keep, and scan, the whole file at two bytes a character. All
      // stand in strings.
      .replace(/[^\0-\x7f]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
    const path = join('dist', fileName);
    // Lists of exports have no map, and nothing to arrange.
    if (!file.map) {
      writeFileSync(path, code);
      continue;
    }
    const { code: arrangedCode, mappings } = rearranged(code, file.map.mappings, ORDER.statements);
    writeFileSync(path, arrangedCode);
    writeFileSync(`${path}.map`, JSON.stringify({ ...JSON.parse(readFileSync(`${path}.map`, 'utf8')), mappings }));
  }
}

/** The files between {@link VARYING} and an entry, itself included: those of which each condition has its own. */
function twinsOf(/** @type {readonly string[]} */ sources) {
  const imports = new Map(
    sources.map((file) => [
      resolve(file),
      ts
        .preProcessFile(readFileSync(file, 'utf8'))
        .importedFiles.map(({ fileName }) => resolve(dirname(file), fileName)),
    ]),
  );
  const twins = new Set([VARYING]);
  for (const twin of twins) for (const [file, imported] of imports) if (imported.includes(twin)) twins.add(file);
  return twins;
}

/**
 * Gives each condition its own modules: `x.ts?workerd` is x.ts, with imports of such files. So which binaries are used
 * is told by imports alone: nothing is registered while a file loads, and a bundler may drop what isn't used in all.
 *
 * @param {ReadonlySet<string>} twins @returns {import('rolldown').Plugin}
 */
function variantsPlugin(twins) {
  const inDist = (/** @type {string} */ file) => ({ id: `dist:${file}`, external: true });
  const parts = (/** @type {string | undefined} */ id) => (id ?? '').split('?');
  return {
    name: 'variants',
    resolveId(specifier, importer) {
      if (WASM.test(specifier)) return inDist(specifier.replace(/^.*\//, ''));
      const [from, condition] = parts(importer);
      const isRegistry = from === resolve(VARIED['models/registry']) && specifier === './index.ts';
      const namespace = isRegistry ? 'models' : /^namespace:(.*)$/.exec(specifier)?.[1];
      if (namespace) {
        const isTwin = twins.has(resolve(NAMESPACES[namespace]));
        return inDist(`chunks/${namespace}${condition && isTwin ? `.${condition}` : ''}.js`);
      }
      if (!condition || !specifier.startsWith('.')) return null;
      const file = resolve(dirname(from), specifier);
      if (file === VARYING) return file.replace(/\.ts$/, `.${condition}.ts`);
      return twins.has(file) ? `${file}?${condition}` : file;
    },
    load(id) {
      const [file, condition] = parts(id);
      const isIndex = file === resolve('src/index.ts');
      if (!condition && !isIndex) return null;
      const text = readFileSync(file, 'utf8');
      return {
        code: isIndex ? text.replace(/(?<=^export \* as (\w+) from )'.*?'/gm, "'namespace:$1'") : text,
        moduleType: 'ts',
      };
    },
  };
}

/**
 * An entry that imports all sources of {@link ORDER}: what is imported first lies first in its chunk. It is the first
 * one, and isn't kept.
 *
 * @param {ReadonlySet<string>} twins @returns {import('rolldown').Plugin}
 */
function orderPlugin(twins) {
  const files = ORDER.sources.map((file) => resolve(file)).filter(existsSync);
  const ids = files.flatMap((file) => [
    file,
    ...(twins.has(file) ? CONDITIONS.map((condition) => `${file}?${condition}`) : []),
  ]);
  return {
    name: 'order',
    resolveId: (specifier) => (specifier === ORDER_ENTRY ? ORDER_ENTRY : null),
    load: (id) => (id === ORDER_ENTRY ? ids.map((file) => `import ${JSON.stringify(file)};`).join('\n') : null),
  };
}

/** Whether a module is a source, and not the benchmarks' entry. */
const isSource = (/** @type {string} */ id) => /\.ts(\?|$)/.test(id);

/** @param {ReadonlyMap<string, string>} names short ones of properties @returns {import('rolldown').Plugin} */
const namesPlugin = (names) => ({
  name: 'names',
  transform: (code, id) => (isSource(id) ? { code: shortened(code, relative('.', id), names), map: null } : null),
});

/** @type {import('rolldown').Plugin} */
const purePlugin = {
  name: 'pure',
  transform: (code, id) => (isSource(id) ? { code: marked(code, relative('.', id)), map: null } : null),
};

/**
 * Copies the declarations that the entries' lead to; the other files' are nobody's business.
 *
 * @param {string} from where TypeScript has written all @param {readonly string[]} entries below it
 */
export function copyTypes(from, entries) {
  const reached = new Set(entries.map((file) => join(from, file)));
  for (const file of reached) {
    // By the name of the code every version of TypeScript finds a declaration.
    const text = readFileSync(file, 'utf8').replace(IMPORTED, (_, path) => {
      reached.add(join(dirname(file), `${path}.d.ts`));
      return `${path}.js`;
    });
    writeTo(join('dist', relative(from, file)), text);
  }
  copyInternalTypes(from, reached);
}

/**
 * Copies the declarations that the benchmarks' entry leads to, so that its types are checked too. Those that users
 * don't get are in dist/internals/, which isn't published; the others are users', because a class that is declared
 * twice would be two classes.
 *
 * @param {string} from @param {ReadonlySet<string>} published
 */
function copyInternalTypes(from, published) {
  const placeOf = (/** @type {string} */ file) =>
    join(published.has(file) ? 'dist' : 'dist/internals', relative(from, file));
  /** @type {Set<string>} */
  const reached = new Set();
  const rewrite = (/** @type {string} */ file, /** @type {string} */ to) =>
    readFileSync(file, 'utf8').replace(IMPORTED, (_, path) => {
      const target = file.startsWith(from)
        ? join(dirname(file), `${path}.d.ts`)
        : join(from, `${path.replace('../src/', '')}.d.ts`);
      if (!published.has(target)) reached.add(target);
      return `./${relative(dirname(to), placeOf(target)).replace(/\.d\.ts$/, '.js')}`;
    });
  writeTo('dist/internals.d.ts', rewrite('bench/internals.mjs', 'dist/internals.d.ts'));
  for (const file of reached) writeTo(placeOf(file), rewrite(file, placeOf(file)));
}

/** Writes a file, and its folder where there is none. @param {string} file @param {string} text */
function writeTo(file, text) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
