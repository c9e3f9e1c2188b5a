/** The rules of ARCHITECTURE.md that import lines and docstrings can tell. */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { BUILDS, loadKernels } from './support/kernels.ts';

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesIn(join(folder, entry.name)) : [join(folder, entry.name)],
  );

const sources = filesIn('src').filter((file) => file.endsWith('.ts') && !file.endsWith('.gen.ts'));
const kernels = filesIn('assembly').filter((file) => file.endsWith('.ts'));

/** The programs around the library: the command line, the demo, examples, benchmarks, scripts. */
const programs = ['bench', 'cli/bin', 'cli/src', 'demo/bench', 'demo/src', 'examples', 'scripts']
  .flatMap(filesIn)
  .filter((file) => /\.(m?[jt]s|tsx)$/.test(file) && !/node_modules|\/dist\/|\.next\//.test(file));

/** What a file imports or re-exports, types included. */
function importsOf(file: string): { readonly from: string }[] {
  const { statements } = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022, true);
  return statements.flatMap((node) => {
    if (!ts.isImportDeclaration(node) && !ts.isExportDeclaration(node)) return [];
    if (!node.moduleSpecifier) return [];
    return [{ from: (node.moduleSpecifier as ts.StringLiteral).text }];
  });
}

/** Each folder and those it may import from, besides itself, errors, options and turns. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  options: [],
  'next-turn': [],
  host: [],
  tensor: [],
  image: ['tensor'],
  formats: ['host', 'tensor'],
  wasm: [],
  ops: ['tensor', 'wasm'],
  graph: ['tensor', 'ops'],
  plan: ['tensor', 'wasm', 'ops', 'graph'],
  nn: ['tensor', 'ops', 'graph', 'plan'],
  features: ['tensor', 'graph', 'nn'],
  models: ['tensor', 'graph', 'nn', 'features'],
  hub: ['tensor', 'image', 'formats', 'ops', 'graph', 'nn', 'features', 'models'],
  tools: ['tensor', 'image', 'ops', 'graph', 'nn', 'features'],
  threads: ['host', 'wasm', 'plan'],
  node: ['host', 'wasm', 'formats', 'hub'],
  weights: ['tensor', 'image', 'formats', 'nn', 'features', 'models'],
};

const folderOf = (file: string) => file.split('/')[1]!.replace(/\.ts$/, '');

describe('imports', () => {
  it.each(sources.filter((file) => file !== 'src/index.ts'))('%s follows the arrows', (file) => {
    const folder = folderOf(file);
    for (const { from } of importsOf(file)) {
      expect(from, 'only files of src are imported').toMatch(/^\.\.?\//);
      if (from.endsWith('.wasm?module')) continue; // the binaries, which the build puts beside dist/index.js
      const target = folderOf(normalize(join(dirname(file), from)));
      expect(
        [...ALLOWED[folder]!, folder, ...(folder === 'errors' ? [] : ['errors', 'options', 'next-turn'])],
        `${file} imports ${from}`,
      ).toContain(target);
    }
  });

  it('of nn, only the files where a module meets tensors know plan', () => {
    const knowing = sources.filter(
      (file) => folderOf(file) === 'nn' && importsOf(file).some(({ from }) => from.includes('/plan/')),
    );
    expect(knowing).toEqual(['src/nn/execution.ts', 'src/nn/module.ts']);
  });

  it('a class of nn is a container or a Layer, which is one node of a model', () => {
    const others = sources
      .filter((file) => folderOf(file) === 'nn' && !/\/(module|layer|container)\.ts$/.test(file))
      .flatMap((file) => readFileSync(file, 'utf8').match(/class \w+ extends Module\b/g) ?? []);
    expect(others).toEqual([]);
  });

  it('an op imports no other op', () => {
    const ops = sources.filter(
      (file) => /^src\/ops\/([^/]+|conv2d\/conv2d)\.ts$/.test(file) && file !== 'src/ops/op.ts',
    );
    expect(ops.length).toBeGreaterThan(10);
    for (const file of ops) {
      const imported = importsOf(file).map(({ from }) => normalize(join(dirname(file), from)));
      expect(imported.filter((other) => ops.includes(other))).toEqual([]);
    }
  });

  it('no files import each other in a circle, types included, those of JSDoc too', () => {
    const edges = new Map(
      [...sources, ...programs].map((file) => {
        const named = [...readFileSync(file, 'utf8').matchAll(/import\('(\.[^']+)'\)/g)].map(([, from]) => from!);
        const all = [...importsOf(file).map(({ from }) => from), ...named];
        return [file, all.map((from) => normalize(join(dirname(file), from)))];
      }),
    );
    expect([...edges.values()].flat().filter((to) => edges.has(to)).length).toBeGreaterThan(1000);
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]): void => {
      expect(path.includes(file), [...path, file].join(' > ')).toBe(false);
      if (done.has(file)) return;
      for (const next of edges.get(file) ?? []) visit(next, [...path, file]);
      done.add(file);
    };
    for (const file of edges.keys()) visit(file, []);
  });

  it('kernels import what all share, and their own folder', () => {
    const shared = ['layout', 'simd', 'epilogue', 'activation', 'window'].map((name) => `assembly/${name}`);
    for (const file of kernels.filter((name) => name !== 'assembly/index.ts')) {
      const own = file.split('/').length > 2 ? dirname(file) : file.replace(/\.ts$/, '');
      for (const { from } of importsOf(file)) {
        const path = normalize(join(dirname(file), from));
        expect(shared.includes(path) || path.startsWith(`${own}/`), `${file} imports ${from}`).toBe(true);
      }
    }
  });

  it('what ops share imports no op: rules first, then lowering', () => {
    for (const file of sources.filter((name) => /^src\/ops\/(rules|lowering)\//.test(name))) {
      const before = file.startsWith('src/ops/rules/') ? /^src\/ops\/rules\// : /^src\/ops\/(rules|lowering)\//;
      const inOps = importsOf(file)
        .map(({ from }) => normalize(join(dirname(file), from)))
        .filter((path) => path.startsWith('src/ops/'));
      expect(inOps.filter((path) => !before.test(path))).toEqual([]);
    }
  });

  it('no line is longer than 120 columns, but one that is a literal by itself', () => {
    const isLiteral = /^\s*(?:\/(?![*/]).*\/[dgimsuy]*|(['"`]).*\1)(?: \+)?[,;]?$/;
    const tests = filesIn('test').filter((file) => /\.m?[jt]s$/.test(file) && !file.includes('node_modules'));
    const long = [...sources, ...kernels, ...programs, ...tests].flatMap((file) =>
      readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line.length > 120 && !isLiteral.test(line))
        .map((line) => `${file}: ${line}`),
    );
    expect(long).toEqual([]);
  });

  // The changelog isn't among them: an entry is a line there.
  it('no line of a page is longer than 120 columns, but rows of tables and pictures', () => {
    const folders = ['bench', 'cli', 'demo', 'docs', 'examples'].flatMap(filesIn);
    const pages = folders.filter((file) => /\.md$/.test(file) && !/node_modules|bench\/results/.test(file));
    expect(pages.length).toBeGreaterThan(20);
    const long = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', ...pages].flatMap((file) =>
      readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line.length > 120 && !/^\s*(?:\||!\[)/.test(line))
        .map((line) => `${file}: ${line}`),
    );
    expect(long).toEqual([]);
  });
});

describe('kernels', () => {
  it('are in every binary, and in the interface, those that assembly/index.ts exports', () => {
    const index = ts.createSourceFile('', readFileSync('assembly/index.ts', 'utf8'), ts.ScriptTarget.ES2022, true);
    const exported = index.statements
      .filter(ts.isExportDeclaration)
      .flatMap(({ exportClause }) =>
        exportClause && ts.isNamedExports(exportClause) ? [...exportClause.elements] : [],
      )
      .map(({ name }) => name.text)
      .sort();
    const generated = readFileSync('src/wasm/kernels.gen.ts', 'utf8');
    expect([...generated.matchAll(/^ {2}(\w+)\(/gm)].map(([, name]) => name).sort()).toEqual(exported);
    for (const build of BUILDS) {
      const names = Object.keys(loadKernels(build)).filter((name) => name !== 'memory');
      expect(names.sort(), build).toEqual(exported);
    }
  });
});

describe('names and docstrings', () => {
  it('no file has a name that says nothing', () => {
    for (const file of [...sources, ...kernels]) expect(file).not.toMatch(/util|helper|manager|handler|common|misc/);
  });

  it.each([...sources, ...kernels])('%s begins by saying what it is for', (file) => {
    expect(readFileSync(file, 'utf8')).toMatch(/^\/\*\*/);
  });

  it.each(sources)('every export of %s has a docstring', (file) => {
    const { statements } = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022, true);
    const undocumented = statements.filter((node) => {
      if (!ts.canHaveModifiers(node) || ts.isImportDeclaration(node)) return false;
      const isExported = node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
      return isExported && ts.getJSDocCommentsAndTags(node).length === 0;
    });
    // The last of several signatures is the implementation's.
    expect(undocumented.map((node) => node.getText().split('\n')[0])).toEqual([]);
  });
});

describe('calls', () => {
  it.each([...sources, ...kernels, ...programs])('%s has no function of more than five arguments', (file) => {
    const text = readFileSync(file, 'utf8');
    const found: string[] = [];
    const visit = (node: ts.Node): void => {
      // What a kernel takes is the border's: it is called by arguments that have names.
      const isKernel = ts.isFunctionDeclaration(node) && /^f32_/.test(node.name?.text ?? '');
      if (ts.isFunctionLike(node) && node.parameters.length > 5 && !isKernel)
        found.push(node.getText().split('\n')[0]!);
      ts.forEachChild(node, visit);
    };
    // Few files have six names with commas between in parentheses, and a parse takes long.
    if (/\((?:[^()]*,){5}[^()]*\)/.test(text)) visit(ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true));
    expect(found).toEqual([]);
  });

  /** What takes as many arguments as it is given, of the standard library. */
  const VARIADIC =
    /^(?:Math\.(?:max|min|hypot)|String\.from(?:CharCode|CodePoint)|.*\.(?:push|unshift|splice|concat|apply|of))$/;

  // An engine has room for about 100,000 arguments, and ends a call of more by a RangeError.
  const shipped = programs.filter((file) => /^(cli|examples)\/.*\.m?js$/.test(file) && !/\/test\//.test(file));

  it.each([...sources, ...shipped])(
    '%s spreads nothing into the arguments of what takes any number of them',
    (file) => {
      const text = readFileSync(file, 'utf8');
      const found: string[] = [];
      const visit = (node: ts.Node): void => {
        if (ts.isCallExpression(node) && node.arguments.some((argument) => ts.isSpreadElement(argument))) {
          const isFixed = node.arguments.every((argument) =>
            /\.subarray\(at \+ \d+, at \+ \d+\)$/.test(argument.getText()),
          );
          if (VARIADIC.test(node.expression.getText()) && !isFixed) found.push(node.getText());
        }
        ts.forEachChild(node, visit);
      };
      // Few files have one, and a parse takes long.
      if (/[(,]\s*\.\.\./.test(text)) visit(ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true));
      expect(found).toEqual([]);
    },
  );
});
