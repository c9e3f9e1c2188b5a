import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import { decode } from 'fast-png';
import { loadSafetensors, openSafetensors } from 'layertap';
import { readBody } from '../body.mjs';
import { jpegDecoder } from '../jpeg.mjs';
import { localService } from '../local.mjs';
import { MODELS } from '../models.mjs';
import { Places } from '../places.mjs';
import { checkPng, decodePng } from '../png.mjs';
import { createService } from '../service.mjs';
import { badInputs } from './bad-inputs.mjs';
import { digitsWeights, encoded, goldens, numbers, picture, scene } from './inputs.mjs';

const refused = await badInputs();
const service = await localService();

function ask(service, path, body, headers = { 'content-type': 'image/png' }) {
  return service(new Request(`http://service${path}`, { method: 'POST', body, headers, duplex: 'half' }));
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

  it('refuses a body that comes too slowly', async () => {
    const impatient = await localService({ limits: { bodyGraceMs: 10, minBytesPerSecond: 1000 } });
    const body = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(10)) });
    const headers = { 'content-type': 'image/png' };
    const answer = await impatient(
      new Request('http://service/mask', { method: 'POST', body, headers, duplex: 'half' }),
    );
    assert.equal(answer.status, 408);
    const message = 'expected the body within 0.01 s and a second for each 1000 bytes, got 10 bytes by then';
    assert.deepEqual(await answer.json(), { error: { code: 'ERR_BODY_TIMEOUT', message } });
  });

  it('lets no browser guess another type, and no page of another origin read, unless asked to', async () => {
    const origin = 'https://example.com';
    const open = await localService({ corsOrigin: origin });
    const fromPage = (service, path) => ask(service, path, scene, { 'content-type': 'image/png', origin });
    for (const path of ['/mask', '/features', '/nowhere']) {
      const closed = await fromPage(service, path);
      assert.equal(closed.headers.get('x-content-type-options'), 'nosniff');
      assert.equal(closed.headers.get('access-control-allow-origin'), null);
      const { headers } = await fromPage(open, path);
      assert.equal(headers.get('x-content-type-options'), 'nosniff');
      assert.equal(headers.get('access-control-allow-origin'), origin);
      assert.equal(headers.get('access-control-expose-headers'), 'x-width,x-height,retry-after');
      assert.equal(headers.get('vary'), 'Origin');
      const other = { 'content-type': 'image/png', origin: 'https://example.org' };
      const { headers: others } = await ask(open, path, scene, other);
      assert.equal(others.get('access-control-allow-origin'), null);
    }
    const preflight = (service) =>
      service(new Request('http://service/mask', { method: 'OPTIONS', headers: { origin } }));
    const allowed = await preflight(open);
    assert.equal(allowed.status, 204);
    assert.equal(allowed.headers.get('access-control-allow-methods'), 'GET,HEAD,POST');
    assert.equal(allowed.headers.get('access-control-allow-headers'), 'content-type,accept');
    assert.equal((await preflight(service)).status, 405);
    const anybody = await fromPage(await localService({ corsOrigin: '*' }), '/mask');
    assert.deepEqual([anybody.headers.get('access-control-allow-origin'), anybody.headers.get('vary')], ['*', null]);
  });

  it('answers in the type that Accept prefers', async () => {
    const typeOf = async (accept) =>
      (await ask(service, '/features', scene, { 'content-type': 'image/png', accept })).headers.get('content-type');
    const binary = 'application/octet-stream';
    assert.match(await typeOf('application/json, */*;q=0.5'), /^application\/json/);
    assert.match(await typeOf(`${binary};q=0.1, application/json`), /^application\/json/);
    assert.equal(await typeOf('application/*, application/json;q=0.5'), binary);
    assert.equal(await typeOf('text/html, */*;q=0.1'), binary);
    const refusal = await ask(service, '/mask', scene, { 'content-type': 'image/png', accept: 'image/png;q=0' });
    assert.equal(refusal.status, 406);
  });
});

describe('loading', () => {
  const decodeJpeg = () => assert.fail();

  it('is shared by the first requests, and tried again by the next one where it failed', async (t) => {
    t.mock.method(console, 'error', () => {});
    let openings = 0;
    const weights = await readFile(digitsWeights);
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
  const busy = { error: { code: 'ERR_BUSY', message: 'too many requests at once' } };

  it('answers 429 to what is beyond its capacity, and right to the others', async () => {
    const small = await localService({ limits: { maxReady: 5 } });
    const answers = await Promise.all(Array.from({ length: 12 }, () => ask(small, '/mask', scene)));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [...Array(5).fill(200), ...Array(7).fill(429)],
    );
    assert.equal(answers[5].headers.get('retry-after'), '1');
    assert.deepEqual(await answers[5].json(), busy);
    assert.equal((await ask(small, '/mask', scene)).status, 200);
  });

  it('holds no more bytes of bodies than it may, and none once they are answered', async () => {
    const small = await localService({ limits: { maxHeldBytes: 2 * 16384 + scene.length } });
    const slow = Array.from({ length: 2 }, () => slowBody());
    const waiting = slow.map(({ body }) => ask(small, '/mask', body));
    await Promise.all(slow.map(({ taken }) => taken));
    assert.equal((await ask(small, '/mask', scene)).status, 200);
    const large = await ask(small, '/mask', new Uint8Array(scene.length + 1));
    assert.equal(large.status, 429);
    assert.deepEqual(await large.json(), busy);
    for (const { finish } of slow) finish();
    for (const answer of await Promise.all(waiting)) assert.equal(answer.status, 200);
  });

  it('serves others while forty clients send slowly, and them in the end', async () => {
    const slow = Array.from({ length: 40 }, () => slowBody());
    const waiting = slow.map(({ body }) => ask(service, '/mask', body));
    await Promise.all(slow.map(({ taken }) => taken));
    for (let i = 0; i < 3; i++) assert.equal((await ask(service, '/mask', scene)).status, 200);
    // One after the other, so that they aren't ready at once.
    for (const [i, { finish }] of slow.entries()) {
      finish();
      assert.equal((await waiting[i]).status, 200);
    }
  });

  it('forgets requests that went away without a word', () => {
    let now = 0;
    const places = new Places(100_000, 1, () => now);
    const [lost, next] = [places.enter(), places.enter()];
    lost.hold(80_000, 1000);
    lost.ready(1000);
    assert.throws(() => next.hold(30_000, 1000), { status: 429 });
    assert.throws(() => next.ready(1000), { status: 429 });
    now = 1001;
    next.hold(30_000, 2000);
    next.ready(2000);
    assert.throws(() => places.enter().ready(2000), { status: 429 });
    next.leave();
    places.enter().ready(2000);
  });
});

/** A body of which the first bytes are there, and that ends when it is told to. */
function slowBody() {
  let source;
  let isBegun = false;
  let begin;
  const taken = new Promise((resolve) => {
    begin = resolve;
  });
  const body = new ReadableStream(
    {
      start(controller) {
        source = controller;
      },
      pull(controller) {
        // Asked for a second part, so the first one was taken.
        if (isBegun) begin();
        else controller.enqueue(scene.subarray(0, 100));
        isBegun = true;
      },
    },
    { highWaterMark: 0 },
  );
  const finish = () => {
    source.enqueue(scene.subarray(100));
    source.close();
  };
  return { body, taken, finish };
}

describe('pixels', () => {
  const [width, height] = [37, 21];
  const next = numbers(5);
  const rgba = Uint8Array.from({ length: width * height * 4 }, (_, i) => (i % 4 === 3 ? 255 : next() * 256));
  const rgb = rgba.filter((_, i) => i % 4 !== 3);

  it('of a PNG are those that were encoded: with alpha, interlaced, with a palette; all data are checked', async () => {
    for (const options of [{}, { progressive: true }]) {
      const bytes = await encoded(rgba, width, height, 'png', options);
      await checkPng(bytes, { width, height });
      assert.deepEqual([...decodePng(bytes).data], [...rgb]);
    }
    // Few colours, so that the palette is exact, of 1, 2, 4 and 8 bits.
    for (const colours of [2, 4, 16, 200]) {
      const few = rgba.map((_, i) => (i % 4 === 3 ? 255 : (Math.floor(i / 4) % colours) * (i % 4 === 1 ? 1 : 0)));
      const bytes = await encoded(few, width, height, 'png', { palette: true, colours, dither: 0, quality: 100 });
      await checkPng(bytes, { width, height });
      const { data } = decodePng(bytes);
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
      const { data } = decodeJpeg(bytes);
      const worst = data.reduce(
        (most, value, at) => Math.max(most, Math.abs(value - smooth[at + Math.floor(at / 3)])),
        0,
      );
      assert.ok(worst <= 4, String(worst));
      assert.throws(() => decodeJpeg(bytes.subarray(0, 150)), { code: 'ERR_IMAGE' });
    }
  });
});

describe('a body', () => {
  it("isn't late where it has arrived while the service was computing", async () => {
    const body = new ReadableStream({
      async pull(controller) {
        controller.enqueue(await readFile(digitsWeights));
        controller.close();
      },
    });
    const request = new Request('http://service/mask', { method: 'POST', body, duplex: 'half' });
    const limits = { maxBodyBytes: 2 ** 20, bodyGraceMs: 20, minBytesPerSecond: 2 ** 30 };
    const read = readBody(request, { hold() {} }, limits);
    const end = Date.now() + 100;
    while (Date.now() < end);
    assert.deepEqual(Buffer.from(await read), await readFile(digitsWeights));
  });
});

describe('the memory of pixels', () => {
  it('is given back once the network has its input, where the host can', async () => {
    const image = { data: new Uint8Array(160 * 128 * 3), width: 160, height: 128 };
    const withWeights = async (use) => use(await openSafetensors(await readFile(digitsWeights)));
    const service = createService({ model: 'digits', withWeights, decodeJpeg: () => image });
    const photo = await picture(1, { format: 'jpeg' });
    assert.equal((await ask(service, '/mask', photo, { 'content-type': 'image/jpeg' })).status, 200);
    assert.equal(image.data.length, 'transfer' in ArrayBuffer.prototype ? 0 : 160 * 128 * 3);
  });
});

describe('memory that runs out', () => {
  it('gets 503, and the next request loads the weights anew, unless they are gone once they are loaded', async (t) => {
    let loads = 0;
    const withWeights = async (use) => {
      loads++;
      return use(await openSafetensors(await readFile(digitsWeights)));
    };
    for (const [loadsOnce, expected] of [
      [false, 2],
      [true, 1],
    ]) {
      loads = 0;
      const service = createService({ model: 'digits', withWeights, decodeJpeg: () => assert.fail(), loadsOnce });
      const failing = t.mock.method(MODELS.digits, 'scores', () => {
        throw new RangeError('Array buffer allocation failed');
      });
      const answer = await ask(service, '/mask', scene);
      failing.mock.restore();
      const { error } = await answer.json();
      assert.deepEqual([answer.status, error.code], [503, 'ERR_MEMORY']);
      assert.equal((await ask(service, '/mask', scene)).status, 200);
      assert.equal(loads, expected);
    }
  });
});
