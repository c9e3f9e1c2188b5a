/**
 * What the build makes of src/, and what the package promises of it: few modules without effects, source maps, types.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { decode, encode } from '@jridgewell/sourcemap-codec';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { marked } from '../scripts/pure.mjs';
import { shortened } from '../scripts/short-names.mjs';
import { rearranged } from '../scripts/statements.mjs';
import { streams } from '../src/wasm/binaries.gen.ts';

/** Specifiers that a file imports from. */
const specifiersOf = (file: string) =>
  ts.preProcessFile(readFileSync(file, 'utf8')).importedFiles.map(({ fileName }) => fileName);

/** Files that one loads with it, itself included. */
function loadedWith(entry: string): Set<string> {
  const loaded = new Set([entry]);
  for (const file of loaded) {
    for (const specifier of specifiersOf(file))
      if (specifier.endsWith('.js')) loaded.add(join(dirname(file), specifier));
  }
  return loaded;
}

/** Names that a bundled entry exports. */
function namesOf(entry: string): string[] {
  const source = ts.createSourceFile(entry, readFileSync(entry, 'utf8'), ts.ScriptTarget.ES2022, true);
  return source.statements
    .filter(ts.isExportDeclaration)
    .flatMap(({ exportClause }) => (exportClause && ts.isNamedExports(exportClause) ? [...exportClause.elements] : []))
    .map(({ name }) => name.text);
}

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesIn(join(folder, entry.name)) : [join(folder, entry.name)],
  );

const shipped = filesIn('dist').filter((file) => !file.startsWith('dist/internals'));
const modules = shipped.filter((file) => file.endsWith('.js'));
const inlined = loadedWith('dist/index.js');

describe.each([
  { condition: 'workerd', has: 'both binaries as one file', files: ['kernels.both.wasm?module'] },
  { condition: 'edge-light', has: 'the plain binary alone', files: ['kernels.wasm?module'] },
])('the entry for $condition', ({ condition, has, files }) => {
  const loaded = loadedWith(`dist/index.${condition}.js`);

  it('exports the names of the default one', () => {
    expect(namesOf(`dist/index.${condition}.js`)).toEqual(namesOf('dist/index.js'));
    expect(namesOf(`dist/chunks/models.${condition}.js`)).toEqual(namesOf('dist/chunks/models.js'));
  });

  it('shares what does not depend on the binaries, and nothing else', () => {
    const shared = [...loaded].filter((file) => inlined.has(file));
    expect(shared.sort()).toEqual(['dist/chunks/common.js', 'dist/chunks/functional.js']);
  });

  it(`imports ${has}, as ?module`, () => {
    const binaries = [...loaded].flatMap((file) =>
      specifiersOf(file)
        .filter((name) => name.includes('.wasm'))
        .map((name) => resolve(dirname(file), name)),
    );
    expect(binaries).toEqual(files.map((file) => resolve('dist', file)));
  });

  it('inlines none', () => {
    for (const file of loaded) expect(readFileSync(file, 'utf8').includes(streams[0]!.slice(0, 100)), file).toBe(false);
  });
});

describe('importing the package', () => {
  it('loads six modules, one of which is the binaries', () => {
    expect([...inlined].sort()).toEqual([
      'dist/chunks/binaries.js',
      'dist/chunks/common.js',
      'dist/chunks/functional.js',
      'dist/chunks/main.js',
      'dist/chunks/models.js',
      'dist/index.js',
    ]);
    const binaries = readFileSync('dist/chunks/binaries.js', 'utf8');
    expect(streams.every((text) => binaries.includes(text))).toBe(true);
  });

  it('reaches the binaries before any other code, so that they lie between no code that is alike', () => {
    /** Files in the order in which they are run, and bundlers put them. */
    const run: string[] = [];
    const visit = (file: string) => {
      if (run.includes(file)) return;
      for (const name of specifiersOf(file)) visit(relative('.', resolve(dirname(file), name)));
      run.push(file);
    };
    visit('dist/index.js');
    expect(run[0]).toBe('dist/chunks/binaries.js');
  });

  it('compiles, validates and decodes nothing', () => {
    const script = `
      const refuse = (name) => () => { throw new Error(name + ' while importing'); };
      for (const name of ['Module', 'Instance', 'Memory', 'validate', 'compile', 'instantiate'])
        WebAssembly[name] = refuse(name);
      globalThis.atob = refuse('atob');
      String.prototype.charCodeAt = refuse('charCodeAt');
      globalThis.fetch = refuse('fetch');
      const { resnet18 } = await import('./dist/index.js');
      console.log(typeof resnet18);`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(stdout).toBe('function\n');
  });

  it('is of one byte a character, which an engine scans in half the time', () => {
    for (const file of modules) expect(readFileSync(file, 'utf8'), file).toMatch(/^[\0-\x7f]*$/);
  });

  it('keeps the characters of messages', () => {
    const script = `
      import { BatchNorm2d, Graph } from './dist/index.js';
      new BatchNorm2d(3).call(new Graph([[1, 4, 2, 2]]).inputs[0]);`;
    const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    expect(stderr).toContain('ShapeError: batch_norm: expected x of shape [N, 3, …], got [1, 4, 2, 2]');
  });

  it('keeps the names that modules are printed by, although several classes have one name', () => {
    const script = `
      import { createHash } from 'node:crypto';
      import { createModel, listModels } from './dist/models/registry.js';
      const named = new Set(listModels());
      const goldens = JSON.parse(process.argv[1]).filter(({ model }) => named.has(model));
      const hash = (text) => createHash('sha256').update(text).digest('hex');
      const isWrong = (one) => hash(String(createModel(one.model, one.options))) !== one.reprSha256;
      console.log(goldens.filter(isWrong).length, goldens.length >= named.size);`;
    const goldens = readFileSync('test/goldens/state-dicts.json', 'utf8');
    const short = JSON.stringify(
      JSON.parse(goldens).map(({ keys: _keys, ...one }: { readonly keys?: unknown }) => one),
    );
    const args = ['--input-type=module', '-e', script, short];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(stdout).toBe('0 true\n');
  });

  it('loads nothing of the entries beside it', () => {
    const others = [
      ...['dist/models/', 'dist/weights/', 'dist/chunks/weights.js', 'dist/threads/', 'dist/node/', 'dist/tools/'],
      'dist/wasm/relaxed.js',
    ];
    const loaded = ['index.js', 'index.workerd.js', 'index.edge-light.js'].flatMap((entry) => [
      ...loadedWith(`dist/${entry}`),
    ]);
    expect(loaded.filter((file) => others.some((other) => file.startsWith(other)))).toEqual([]);
  });

  it('is one module for a worker of a pool', () => {
    expect([...loadedWith('dist/threads/worker.js')]).toEqual(['dist/threads/worker.js']);
  });

  it.each(['threads/index', 'node/index', 'tools/index', 'models/registry'])(
    'shares state and classes with dist/%s.js',
    (entry) => {
      const own = [...loadedWith(`dist/${entry}.js`)].filter((file) => !inlined.has(file));
      expect(own).toEqual([`dist/${entry}.js`]);
    },
  );

  it.each(['hub', 'weights'].flatMap((entry) => ['', '.workerd', '.edge-light'].map((variant) => [entry, variant])))(
    'shares state and classes with dist/%s/index%s.js',
    (entry, variant) => {
      const shared = loadedWith(`dist/index${variant}.js`);
      const own = [...loadedWith(`dist/${entry}/index${variant}.js`)].filter((file) => !shared.has(file));
      const entries = [`dist/${entry}/index${variant}.js`, `dist/models/registry${variant}.js`];
      expect(own.sort()).toEqual([`dist/chunks/${entry}.js`, ...entries].sort());
      expect(namesOf(`dist/${entry}/index${variant}.js`)).toEqual(namesOf(`dist/${entry}/index.js`));
    },
  );

  it.each([...loadedWith('dist/index.js')].sort())(
    '%s needs no host: no await, import.meta, eval or builtin',
    (file) => {
      const text = readFileSync(file, 'utf8');
      const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
      const visit = (node: ts.Node, isTop: boolean): void => {
        const what = node.getText().slice(0, 80);
        expect(isTop && ts.isAwaitExpression(node), `top-level await: ${what}`).toBe(false);
        expect(ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword, what).toBe(false);
        const isNamed = (names: readonly string[]) =>
          (ts.isCallExpression(node) || ts.isNewExpression(node)) && names.includes(node.expression.getText());
        expect(isNamed(['eval', 'Function', 'require']), what).toBe(false);
        ts.forEachChild(node, (child) => visit(child, isTop && !ts.isFunctionLike(node)));
      };
      visit(source, true);
      for (const { fileName } of ts.preProcessFile(text).importedFiles) expect(fileName).toMatch(/^\.\.?\//);
    },
  );
});

describe('a value that is computed while a file loads', () => {
  it.each([
    ['const a = new Map();', 'const a = /* @__PURE__ */ new Map();'],
    ['const a = Object.freeze([1]) as A;', 'const a = /* @__PURE__ */ Object.freeze([1]) as A;'],
    ['const a = f(g(1), 2);', 'const a = /* @__PURE__ */ f(/* @__PURE__ */ g(1), 2);'],
    ['const a = new B(c.d);', 'const a = /* @__PURE__ */ (() => (new B(c.d)))();'],
    ['const a = [...b];', 'const a = /* @__PURE__ */ (() => ([...b]))();'],
  ])('is marked, so that bundlers drop it where nothing uses it: %s', (text, expected) => {
    expect(marked(text, 'a.ts')).toBe(expected);
  });

  it.each(['const a = 1;', 'const a = () => b.c();', 'const a = { b() { return c(); } };', 'class A { b = c(); }'])(
    'is none in %s',
    (text) => {
      expect(marked(text, 'a.ts')).toBe(text);
    },
  );

  it.each(['a.b = 1;', 'f();', 'if (a) f();', '{ f(); }', 'for (;;) f();', 'throw 1;'])(
    'is all that a file may do: the build refuses %s',
    (text) => {
      expect(() => marked(text, 'a.ts')).toThrow(`a.ts: expected nothing to be done while a file loads, got ${text}`);
    },
  );

  it('is no power of numbers, which the build computes', () => {
    expect(marked('const a = 64 * 2 ** 20;', 'a.ts')).toBe('const a = 67108864;');
    expect(marked('const a = { b: 2 ** 31 - 1, c: () => 2 ** 3 };', 'a.ts')).toBe(
      'const a = { b: 2147483647, c: () => 2 ** 3 };',
    );
    expect(marked('const a = 1 / 3;', 'a.ts')).toBe('const a = 1 / 3;');
  });

  it('is no static field: classes with one stay in every bundle', () => {
    const expected = 'a.ts: expected a static getter, got the static field b';
    expect(() => marked('class A { static readonly b = 4; }', 'a.ts')).toThrow(expected);
    expect(marked('class A { static get b() { return 4; } static c() {} }', 'a.ts')).toContain('static get b()');
  });
});

describe('short names', () => {
  const names = new Map([
    ['scratch', 'a'],
    ['rows', 'b'],
  ]);
  const named = (text: string, file = 'src/ops/x.ts') => shortened(text, file, names);

  it('are those of properties, wherever one is named', () => {
    expect(named('x.scratch = y?.rows;')).toBe('x.a = y?.b;');
    expect(named('const x = { scratch: 1, rows() {}, get scratch() { return 1; } };')).toBe(
      'const x = { a: 1, b() {}, get a() { return 1; } };',
    );
    expect(named('class X { scratch = 1; }')).toBe('class X { a = 1; }');
  });

  it('are not those of variables', () => {
    expect(named('f({ scratch, ...rows });')).toBe('f({ a: scratch, ...rows });');
    expect(named('const { scratch, rows: y = scratch, ...rest } = x;')).toBe(
      'const { a: scratch, b: y = scratch, ...rest } = x;',
    );
    expect(named('const { scratch = 1 } = x;')).toBe('const { a: scratch = 1 } = x;');
    expect(named('const [scratch] = rows;')).toBe('const [scratch] = rows;');
    expect(named('({ scratch } = x);')).toBe('({ a: scratch } = x);');
  });

  it('are not those in strings, but for the arguments of kernels', () => {
    expect(named("f('rows scratch');")).toBe("f('rows scratch');");
    expect(named("f('rows scratch');", 'src/wasm/steps.gen.ts')).toBe("f('b a');");
  });
});

describe('functions of a chunk', () => {
  const arranged = (code: string, order: readonly string[]) => rearranged(code, '', order).code;
  const code =
    'class A {}\nfunction f() {\n  return 1;\n}\n// Says what g is.\nfunction g() {}\nconst b = 2;\nfunction f$1() {}';

  it('lie where the order has them, behind what is none', () => {
    expect(arranged(code, ['A', 'b', 'g'])).toBe(
      'class A {}\nfunction f() {\n  return 1;\n}\nconst b = 2;\n// Says what g is.\nfunction g() {}\nfunction f$1() {}',
    );
    expect(arranged(code, ['A', 'g', 'f', 'b'])).toBe(
      'class A {}\n// Says what g is.\nfunction g() {}\nfunction f() {\n  return 1;\n}\nfunction f$1() {}\nconst b = 2;',
    );
  });

  it('stay where the order has no place for them', () => {
    expect(arranged(code, [])).toBe(code);
    expect(arranged(code, ['g', 'elsewhere', 'b'])).toBe(code);
    expect(arranged('a(); function f() {}\nclass A {}', ['A', 'f'])).toBe('a(); function f() {}\nclass A {}');
  });

  it('take their lines of the source map along', () => {
    const lines = (mappings: string) => decode(mappings).map((line) => line[0]?.[2]);
    const mappings = encode([[[0, 0, 7, 0]], [[0, 0, 8, 0]], [[0, 0, 9, 0]]]);
    expect(lines(rearranged('class A {}\nfunction f() {}\nclass B {}', mappings, ['B', 'f']).mappings)).toEqual([
      7, 9, 8,
    ]);
  });
});

describe('source maps', () => {
  it.each(modules.filter((file) => existsSync(`${file}.map`)))(
    'of %s lead to the sources, which they carry',
    (file) => {
      expect(readFileSync(file, 'utf8')).toContain(`\n//# sourceMappingURL=${file.split('/').at(-1)}.map`);
      const { sources, sourcesContent } = JSON.parse(readFileSync(`${file}.map`, 'utf8'));
      expect(sources.length).toBeGreaterThan(0);
      for (const [i, source] of sources.entries()) {
        const path = join(dirname(file), source.split('?')[0]);
        expect(sourcesContent[i], path).toBe(readFileSync(path, 'utf8'));
      }
    },
  );

  it('are there for all but lists of exports', () => {
    const without = modules.filter((file) => !existsSync(`${file}.map`));
    for (const file of without) expect(readFileSync(file, 'utf8'), file).not.toMatch(/\b(class|function|const|var)\b/);
  });

  it('tell the line of an error', () => {
    const script = `import { Tensor } from './dist/index.js'; new Tensor('no shape', []);`;
    const { stderr } = spawnSync(process.execPath, ['--enable-source-maps', '--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    expect(stderr).toMatch(/src\/tensor\/\w+\.ts:\d+/);
  });
});

describe('the types', () => {
  const types = shipped.filter((file) => file.endsWith('.d.ts'));

  it('have no import that leads nowhere', () => {
    for (const file of types) {
      const text = readFileSync(file, 'utf8');
      for (const [specifier] of text.matchAll(/(?<=\b(?:from |import\()['"])\.[^'"]*/g)) {
        expect(specifier, file).toMatch(/\.js$/);
        expect(existsSync(join(dirname(file), specifier.replace(/\.js$/, '.d.ts'))), `${file}: ${specifier}`).toBe(
          true,
        );
      }
    }
  });

  it('have no literals of the binaries', () => {
    for (const file of types) {
      const longest = Math.max(
        ...readFileSync(file, 'utf8')
          .split('\n')
          .map(({ length }) => length),
      );
      expect(longest, file).toBeLessThan(1000);
    }
    expect(types.filter((file) => file.includes('binaries'))).toEqual([]);
  });
});

describe('package.json', () => {
  const { exports: exported, sideEffects } = JSON.parse(readFileSync('package.json', 'utf8'));

  it('points to files that exist', () => {
    const targets = Object.values(exported).flatMap((target) =>
      typeof target === 'string' ? [target] : Object.values(target as object),
    );
    for (const target of targets) expect(existsSync(target), target).toBe(true);
  });

  it('names workerd and edge-light before default, and no effects', () => {
    expect(Object.keys(exported['.'])).toEqual(['types', 'workerd', 'edge-light', 'default']);
    expect(sideEffects).toBe(false);
  });

  it('ships both binaries, labelled', () => {
    expect(readdirSync('dist').filter((file) => file.endsWith('.wasm'))).toEqual([
      'kernels.both.wasm',
      'kernels.relaxed.wasm',
      'kernels.wasm',
    ]);
  });

  it.each(['package.json', 'cli/package.json'])(
    '%s runs nothing where a tarball is installed: npm warns of that',
    (file) => {
      const { scripts = {} } = JSON.parse(readFileSync(file, 'utf8'));
      for (const name of ['preinstall', 'install', 'postinstall', 'prepare']) expect(scripts).not.toHaveProperty(name);
    },
  );

  it.each(['package.json', 'cli/package.json'])('%s has no workspaces: npm publishes the file as it is', (file) => {
    expect(JSON.parse(readFileSync(file, 'utf8'))).not.toHaveProperty('workspaces');
  });

  it('ships the modules and no internals', () => {
    const { stdout } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { encoding: 'utf8' });
    const [{ files }] = JSON.parse(stdout);
    const packed = files.map(({ path }: { path: string }) => path).filter((path: string) => path.startsWith('dist/'));
    expect(packed.sort()).toEqual([...shipped].sort());
  });
});
