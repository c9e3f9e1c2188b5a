/** Pictures, and the index of 10,000 vectors: both as a reader runs them. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { imageFromRgb, loadSafetensors, saveSafetensors, squeezenet1_1, Tensor } from 'layertap';
import sharp from 'sharp';
import { createEmbedding } from '../embedding.mjs';
import { measure } from '../measure.mjs';
import { VectorIndex } from '../vector-index.mjs';

const path = (file) => fileURLToPath(new URL(`../${file}`, import.meta.url));

describe('add and query', () => {
  const folder = mkdtempSync(join(tmpdir(), 'layertap-similar-'));
  const photos = join(folder, 'photos');
  const index = join(folder, 'similar.db');
  const STRIPES = join(photos, 'stripes.png');

  const run = (program, ...args) => {
    const given = [path(`${program}.mjs`), ...args, '--index', index];
    const { status, stdout, stderr } = spawnSync(process.execPath, given, { encoding: 'utf8' });
    return { status, lines: stdout.trim().split('\n'), stderr: stderr.trim() };
  };

  /** A grey picture of a formula. */
  const draw = (file, shade) => {
    const [width, height] = [240, 200];
    const pixels = Uint8Array.from({ length: width * height }, (_, i) => shade(i % width, Math.floor(i / width)));
    return sharp(pixels, { raw: { width, height, channels: 1 } })
      .png()
      .toFile(file);
  };

  before(async () => {
    mkdirSync(join(photos, 'more'), { recursive: true });
    await draw(STRIPES, (x) => (x % 16 < 8 ? 230 : 20));
    await draw(join(photos, 'disc.png'), (x, y) => (Math.hypot(x - 120, y - 100) < 60 ? 240 : 10));
    await draw(join(photos, 'more', 'disc.png'), (x, y) => (Math.hypot(x - 120, y - 100) < 56 ? 236 : 14));
    await draw(join(photos, 'more', 'grey.png'), () => 128);
  });
  after(() => rmSync(folder, { recursive: true }));

  it('says that a folder has no pictures', () => {
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    const { status, stderr } = run('add', empty);
    assert.equal(stderr, `add: pictures: expected .jpg, .png, .webp or .gif files below ${empty}, got none`);
    assert.equal(status, 1);
  });

  it('says that there is no such folder, picture or index, and makes none', () => {
    const nowhere = join(folder, 'nowhere');
    const got = 'got "no such file or directory"';
    assert.deepEqual(run('add', nowhere), {
      ...{ status: 1, lines: [''] },
      stderr: `add: pictures: expected a readable folder at ${nowhere}, ${got}`,
    });
    assert.equal(existsSync(index), false);
    assert.deepEqual(run('query', nowhere), {
      ...{ status: 1, lines: [''] },
      stderr: `query: pictures: expected a readable file at ${nowhere}, ${got}`,
    });
    assert.deepEqual(run('query', STRIPES), {
      ...{ status: 1, lines: [''] },
      stderr:
        `query: index: expected one that add.mjs has made, got no ${index}; ` +
        'run add.mjs first, or name it by --index',
    });
    assert.equal(existsSync(index), false);
    const lost = join(nowhere, 'similar.db');
    const { stderr } = spawnSync(process.execPath, [path('add.mjs'), photos, '--index', lost], { encoding: 'utf8' });
    assert.equal(stderr, `add: index: expected a folder for ${lost}, got no ${nowhere}; make it first\n`);
    const weights = join(folder, 'no.safetensors');
    assert.equal(
      run('add', photos, '--model', 'squeezenet1_1', '--weights', weights).stderr,
      `add: embedding: expected readable weights at ${weights}, ${got}`,
    );
  });

  it('says that nothing has been added yet', () => {
    const broken = join(folder, 'broken');
    mkdirSync(broken);
    writeFileSync(join(broken, 'a.jpg'), 'text');
    assert.deepEqual(run('add', broken).lines, ['0 added, 0 unchanged, 0 removed, 1 failed']);
    const { status, stderr } = run('query', STRIPES);
    assert.equal(stderr, 'query: expected an index with pictures, got an empty one; run add.mjs first');
    assert.equal(status, 1);
  });

  it('adds the pictures below a folder, and each of them once', () => {
    assert.deepEqual(run('add', photos), {
      status: 0,
      lines: ['4 added, 0 unchanged, 0 removed, 0 failed'],
      stderr: '',
    });
    assert.deepEqual(run('add', photos).lines, ['0 added, 4 unchanged, 0 removed, 0 failed']);
  });

  it('finds a picture itself with a similarity of 1, and the one like it next', () => {
    const { lines } = run('query', join(photos, 'disc.png'), '--top', '2');
    assert.deepEqual(lines, [`1.0000  ${join(photos, 'disc.png')}`, lines[1]]);
    assert.match(lines[1], /^0\.\d{4} {2}.*more.disc\.png$/);
  });

  it('goes on after a file that is no picture, and ends with exit code 1', () => {
    writeFileSync(join(photos, 'broken.jpg'), 'text');
    const { status, lines, stderr } = run('add', photos);
    assert.deepEqual(lines, ['0 added, 4 unchanged, 0 removed, 1 failed']);
    assert.ok(stderr.startsWith(`${join(photos, 'broken.jpg')}: `), stderr);
    assert.equal(status, 1);
    rmSync(join(photos, 'broken.jpg'));
  });

  it('replaces a picture that has changed, and removes one that is gone', async () => {
    await draw(STRIPES, (_, y) => (y % 16 < 8 ? 230 : 20));
    rmSync(join(photos, 'more', 'grey.png'));
    assert.deepEqual(run('add', photos).lines, ['1 added, 2 unchanged, 1 removed, 0 failed']);
    const { lines } = run('query', STRIPES);
    assert.equal(lines.length, 3);
    assert.equal(lines[0], `1.0000  ${STRIPES}`);
  });

  it('refuses an index of other weights', () => {
    const weights = loadSafetensors(readFileSync(path('digits/weights.safetensors')));
    weights.get('backbone.conv1.weight').data[0] += 1;
    const file = join(folder, 'other.safetensors');
    writeFileSync(file, saveSafetensors(weights));
    const { status, stderr } = run('query', STRIPES, '--model', 'digits', '--weights', file);
    const hashes = /^query: index: expected vectors of weights (\w{64}), got (.*) of weights (\w{64}); --index/;
    const [, expected, at, got] = hashes.exec(stderr) ?? [];
    assert.equal(at, index, stderr);
    assert.notEqual(expected, got);
    assert.equal(status, 1);
  });
});

describe("torchvision's networks", () => {
  it('give vectors of length 1, of their last layer', async () => {
    const random = generator(3);
    const stateDict = new Map();
    for (const [name, { shape }] of squeezenet1_1().namedParameters()) {
      const inputs = shape.slice(1).reduce((product, size) => product * size, 1);
      const values = Float32Array.from({ length: shape[0] * inputs }, () => random() * Math.sqrt(6 / inputs));
      stateDict.set(name, new Tensor(values, shape));
    }
    const folder = mkdtempSync(join(tmpdir(), 'layertap-weights-'));
    try {
      const weights = join(folder, 'squeezenet.safetensors');
      writeFileSync(weights, saveSafetensors(stateDict));
      const { embed, size, fingerprint } = await createEmbedding({ model: 'squeezenet1_1', weights });
      assert.deepEqual([size, fingerprint.model, fingerprint.layer], [512, 'squeezenet1_1', 'features.12']);
      const pixels = Uint8Array.from({ length: 32 * 24 * 3 }, () => 128 + 127 * random());
      const vector = embed(imageFromRgb(pixels, 32, 24));
      assert.equal(vector.length, size);
      // Each value is rounded once: by 2⁻²⁴ of itself.
      assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-6);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('want both a name and weights', async () => {
    const message = 'embedding: expected --model and --weights together, got one of them';
    await assert.rejects(createEmbedding({ model: 'resnet18' }), { message });
  });
});

describe('an index', () => {
  const fingerprint = { model: 'resnet18', weights: 'ab12', layer: 'layer4', preset: 'imageClassification' };

  it('is refused by another model, layer, preset or size, and says which', () => {
    const folder = mkdtempSync(join(tmpdir(), 'layertap-index-'));
    const file = join(folder, 'a.db');
    try {
      new VectorIndex(file, { fingerprint, size: 4 }).close();
      new VectorIndex(file, { fingerprint, size: 4 }).close();
      const refused = (vectors, message) => assert.throws(() => new VectorIndex(file, vectors), { message });
      const others = [
        ['layer', 'layer3'],
        ['model', 'resnet34'],
        ['preset', 'none'],
      ];
      for (const [key, value] of others) {
        const got = `got ${file} of ${key} ${fingerprint[key]}; --index names another file`;
        const vectors = { fingerprint: { ...fingerprint, [key]: value }, size: 4 };
        refused(vectors, `index: expected vectors of ${key} ${value}, ${got}`);
      }
      const message = `index: expected vectors of size 8, got ${file} of size 4; --index names another file`;
      refused({ fingerprint, size: 8 }, message);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('of 10,000 vectors of 512 has the exact ten nearest, in their order', (t) => {
    const { recall, similarityError, queryMs } = measure({ count: 10_000, size: 512, queries: 10 });
    assert.equal(recall, 1);
    // A float32 sum of 512 squares, at most 4 together, is within 514 · 2⁻²⁴ · 4. The cosine has half of that.
    assert.ok(similarityError < 1e-4, String(similarityError));
    t.diagnostic(`median of a query: ${queryMs} ms`);
  });
});

/** Numbers from -1 to 1. */
function generator(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}
