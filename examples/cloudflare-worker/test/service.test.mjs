import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import { decode } from 'fast-png';
import { loadSafetensors, openSafetensors } from 'layertap';
import { jpegDecoder } from '../jpeg.mjs';
import { localService } from '../local.mjs';
import { decodePng } from '../png.mjs';
import { createService } from '../service.mjs';
import { badInputs } from './bad-inputs.mjs';
import { encoded, numbers, picture } from './inputs.mjs';

const digits = (file) => readFile(new URL(`../../digits/${file}`, import.meta.url));
const goldens = loadSafetensors(await digits('golden.safetensors'));
const scene = await digits('scene.png');
const refused = await badInputs();
const service = await localService();

function ask(service, path, body, headers = { 'content-type': 'image/png' }) {
  return service(new Request(`http://service${path}`, { method: 'POST', body, headers }));
}

/** Largest difference, relative to the largest value. */
function distance(actual, expected) {
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return expected.reduce((most, value, i) => Math.max(most, Math.abs(value - actual[i])), 0) / largest;
}

describe('the service', () => {
  it("answers with the network's mask, as PNG and as bytes", async () => {
    const expected = [...goldens.get('argmax').data];
    const mask = await ask(service, '/mask', scene);
    assert.equal(mask.headers.get('content-type'), 'image/png');
    const image = decode(new Uint8Array(await mask.arrayBuffer()));
    assert.deepEqual([image.width, image.height, image.channels, image.depth], [160, 128, 1, 8]);
    assert.deepEqual([...image.data], expected);
    const headers = { 'content-type': 'image/png', accept: 'application/octet-stream' };
    const raw = await ask(service, '/mask', scene, headers);
    assert.deepEqual([raw.headers.get('x-width'), raw.headers.get('x-height')], ['160', '128']);
    assert.deepEqual([...new Uint8Array(await raw.arrayBuffer())], expected);
  });

  it("answers with the network's features, as safetensors and as JSON", async () => {
    const features = loadSafetensors(await (await ask(service, '/features', scene)).arrayBuffer());
    assert.deepEqual([...features.keys()].sort(), ['aux', 'out']);
    const { data, shape } = features.get('out');
    const [, channels, height, width] = shape;
    // The golden has each third row and column.
    const sampled = [];
    for (let c = 0; c < channels; c++)
      for (let y = 0; y < height; y += 3)
        for (let x = 0; x < width; x += 3) sampled.push(data[(c * height + y) * width + x]);
    assert.ok(distance(sampled, [...goldens.get('feature_out').float().data]) < 1e-4);
    const headers = { 'content-type': 'image/png', accept: 'application/json' };
    const json = await (await ask(service, '/features', scene, headers)).json();
    assert.deepEqual(
      json.features.map(({ name }) => name),
      ['aux', 'out'],
    );
    assert.deepEqual(json.features[1].data, [...data]);
    const { feature, embedding } = await (await ask(service, '/embedding', scene)).json();
    assert.equal(feature, 'out');
    const mean = data.subarray(0, height * width).reduce((a, b) => a + b, 0) / (height * width);
    assert.ok(Math.abs(embedding[0] - mean) < 1e-6);
  });

  it('takes an image of one pixel', async () => {
    for (const format of ['png', 'jpeg']) {
      const answer = await ask(service, '/mask', await picture(1, { width: 1, height: 1, format }), {
        'content-type': `image/${format}`,
      });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers.get('x-width'), '1');
    }
  });

  it('says what it serves', async () => {
    const answer = await service(new Request('http://service/'));
    assert.deepEqual(await answer.json(), {
      model: 'digits',
      paths: ['/features', '/embedding', '/mask'],
      imageTypes: ['image/jpeg', 'image/png'],
    });
  });

  for (const { claim, path = '/features', init, status, code, message } of refused) {
    it(`refuses ${claim}, and goes on`, async () => {
      const answer = await service(new Request(`http://service${path}`, init));
      assert.deepEqual({ status: answer.status, ...(await answer.json()) }, { status, error: { code, message } });
      assert.equal((await ask(service, '/mask', scene)).status, 200);
    });
  }

  it('refuses a body that does not end in time', async () => {
    const impatient = await localService({ limits: { bodyTimeoutMs: 10 } });
    const body = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(10)) });
    const headers = { 'content-type': 'image/png' };
    const answer = await impatient(
      new Request('http://service/mask', { method: 'POST', body, headers, duplex: 'half' }),
    );
    assert.equal(answer.status, 408);
    assert.deepEqual(await answer.json(), {
      error: { code: 'ERR_BODY_TIMEOUT', message: 'expected the body within 0.01 s' },
    });
  });
});

describe('loading', () => {
  const decodeJpeg = () => assert.fail();

  it('is shared by the first requests, and tried again by the next one where it failed', async (t) => {
    t.mock.method(console, 'error', () => {});
    let openings = 0;
    const weights = await digits('weights.safetensors');
    const failing = createService({
      model: 'digits',
      decodeJpeg,
      withWeights: async (use) => {
        openings++;
        // The first file is cut: nothing of it may be run.
        const file = new Response(openings === 1 ? weights.subarray(0, -10) : weights).body;
        return use(await openSafetensors(file));
      },
    });
    const all = () => Promise.all(Array.from({ length: 4 }, () => ask(failing, '/mask', scene)));
    for (const answer of await all()) {
      assert.equal(answer.status, 503);
      assert.equal(answer.headers.get('retry-after'), '1');
      assert.deepEqual(await answer.json(), {
        error: { code: 'ERR_WEIGHTS', message: 'the weights could not be loaded' },
      });
    }
    assert.equal(openings, 1);
    for (const answer of await all()) assert.equal(answer.status, 200);
    assert.equal(openings, 2);
  });
});

describe('back-pressure', () => {
  it('answers 429 to what is beyond the queue, and right to the others', async () => {
    const small = await localService({ limits: { maxRunning: 2, maxWaiting: 3 } });
    const answers = await Promise.all(Array.from({ length: 12 }, () => ask(small, '/mask', scene)));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [...Array(5).fill(200), ...Array(7).fill(429)],
    );
    assert.equal(answers[5].headers.get('retry-after'), '1');
    assert.deepEqual(await answers[5].json(), { error: { code: 'ERR_BUSY', message: 'too many requests at once' } });
    assert.equal((await ask(small, '/mask', scene)).status, 200);
  });
});

describe('pixels', () => {
  const [width, height] = [37, 21];
  const next = numbers(5);
  const rgba = Uint8Array.from({ length: width * height * 4 }, (_, i) => (i % 4 === 3 ? 255 : next() * 256));
  const rgb = rgba.filter((_, i) => i % 4 !== 3);

  it('of a PNG are those that were encoded: with alpha, interlaced, with a palette', async () => {
    for (const options of [{}, { progressive: true }]) {
      const bytes = await encoded(rgba, width, height, 'png', options);
      assert.deepEqual([...(await decodePng(bytes, { width, height })).data], [...rgb]);
    }
    // Few colours, so that the palette is exact, of 1, 2, 4 and 8 bits.
    for (const colours of [2, 4, 16, 200]) {
      const few = rgba.map((_, i) => (i % 4 === 3 ? 255 : (Math.floor(i / 4) % colours) * (i % 4 === 1 ? 1 : 0)));
      const bytes = await encoded(few, width, height, 'png', { palette: true, colours, dither: 0, quality: 100 });
      const { data } = await decodePng(bytes, { width, height });
      const worst = data.reduce((most, value, i) => Math.max(most, Math.abs(value - few[i + Math.floor(i / 3)])), 0);
      assert.ok(worst <= 2, `${worst} with ${colours} colours`);
    }
  });

  it('of a JPEG are near those that were encoded, also after one that is broken', async () => {
    const file = createRequire(import.meta.url).resolve('@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm');
    const decodeJpeg = jpegDecoder(await WebAssembly.compile(await readFile(file)));
    const smooth = rgba.map((_, i) => (i % 4 === 3 ? 255 : (Math.floor(i / 4) % width) * 6));
    const bytes = await encoded(smooth, width, height, 'jpeg', { quality: 100, chromaSubsampling: '4:4:4' });
    for (let i = 0; i < 3; i++) {
      const { data } = await decodeJpeg(bytes);
      const worst = data.reduce(
        (most, value, at) => Math.max(most, Math.abs(value - smooth[at + Math.floor(at / 3)])),
        0,
      );
      assert.ok(worst <= 4, String(worst));
      await assert.rejects(decodeJpeg(bytes.subarray(0, 150)), { code: 'ERR_IMAGE' });
    }
  });
});
