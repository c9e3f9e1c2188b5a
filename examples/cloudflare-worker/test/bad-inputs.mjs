/** What strangers send, and the answers that it must get from every host. */

import { deflateSync } from 'node:zlib';
import { ihdr, jpegHeader, outOfPalette, picture, png } from './inputs.mjs';

const IMAGE_TYPES = 'image/jpeg or image/png';

/**
 * @returns {Promise<{ claim: string, path?: string, init: object, status: number, code: string, message: string }[]>}
 */
export async function badInputs({ maxPixels = 512 * 512, maxBodyBytes = 4 * 2 ** 20 } = {}) {
  const good = await picture(1);
  const jpeg = await picture(1, { format: 'jpeg' });
  const progressive = await picture(1, { format: 'jpeg', options: { progressive: true } });
  const post = (body, type = 'image/png', headers = {}) => ({
    method: 'POST',
    body,
    headers: { 'content-type': type, ...headers },
  });
  const pixels = `expected an image of 1 to ${maxPixels} pixels, got`;
  const scans = Array.from({ length: 100 }, () => [0xff, 0xda, 0, 2]).flat();
  const bomb = deflateSync(new Uint8Array(64 * 2 ** 20), { level: 9 });
  return [
    {
      claim: 'a body that says that it is too large',
      init: post(new Uint8Array(1), 'image/png', { 'content-length': String(maxBodyBytes + 1) }),
      status: 413,
      code: 'ERR_BODY_SIZE',
      message: `expected a body of at most ${maxBodyBytes} bytes, got more`,
    },
    {
      claim: 'a body that is too large and does not say so',
      init: { ...post(endless(maxBodyBytes)), duplex: 'half' },
      status: 413,
      code: 'ERR_BODY_SIZE',
      message: `expected a body of at most ${maxBodyBytes} bytes, got more`,
    },
    {
      claim: 'an empty body',
      init: post(new Uint8Array(0)),
      status: 400,
      code: 'ERR_IMAGE',
      message: 'expected a JPEG or a PNG, got something else',
    },
    {
      claim: 'a body that is no image',
      init: post('<!doctype html>'),
      status: 400,
      code: 'ERR_IMAGE',
      message: 'expected a JPEG or a PNG, got something else',
    },
    {
      claim: 'another image than it says',
      init: post(jpeg),
      status: 400,
      code: 'ERR_IMAGE',
      message: 'expected image/png as Content-Type says, got image/jpeg',
    },
    {
      claim: 'a wrong content type',
      init: post(good, 'text/plain; charset=utf-8'),
      status: 415,
      code: 'ERR_CONTENT_TYPE',
      message: `expected Content-Type ${IMAGE_TYPES}, got text/plain`,
    },
    {
      claim: 'no content type',
      init: { method: 'POST', body: good },
      status: 415,
      code: 'ERR_CONTENT_TYPE',
      message: `expected Content-Type ${IMAGE_TYPES}, got none`,
    },
    {
      claim: 'a PNG that claims 20,000 x 20,000 pixels',
      init: post(png(ihdr(20_000, 20_000), ['IDAT', deflateSync(new Uint8Array(1000))], ['IEND', []])),
      status: 413,
      code: 'ERR_IMAGE_SIZE',
      message: `${pixels} 20000 x 20000`,
    },
    {
      claim: 'a JPEG that claims 20,000 x 20,000 pixels',
      init: post(jpegHeader(20_000, 20_000), 'image/jpeg'),
      status: 413,
      code: 'ERR_IMAGE_SIZE',
      message: `${pixels} 20000 x 20000`,
    },
    {
      claim: 'a PNG without pixels',
      init: post(png(ihdr(0, 10), ['IDAT', deflateSync(new Uint8Array(0))], ['IEND', []])),
      status: 413,
      code: 'ERR_IMAGE_SIZE',
      message: `${pixels} 0 x 10`,
    },
    {
      claim: 'a PNG with a second header',
      init: post(png(ihdr(10, 10), ihdr(20_000, 20_000), ['IDAT', deflateSync(new Uint8Array(310))], ['IEND', []])),
      status: 400,
      code: 'ERR_IMAGE',
      message: 'expected a PNG with one header, got two',
    },
    {
      claim: 'a PNG that inflates to more than its pixels',
      init: post(png(ihdr(10, 10), ['IDAT', bomb], ['IEND', []])),
      status: 400,
      code: 'ERR_IMAGE',
      message: 'expected a PNG of at most 4406 inflated bytes, got more',
    },
    {
      claim: 'a PNG that cannot be inflated',
      init: post(png(ihdr(10, 10), ['IDAT', new Uint8Array(100).fill(7)], ['IEND', []])),
      status: 400,
      code: 'ERR_IMAGE',
      message: 'expected a PNG whose data can be inflated, got another',
    },
    {
      claim: 'a PNG of too few pixels',
      init: post(png(ihdr(10, 10), ['IDAT', deflateSync(new Uint8Array(31))], ['IEND', []])),
      status: 400,
      code: 'ERR_IMAGE',
      message: 'expected a PNG of 310 inflated bytes, got 31',
    },
    {
      claim: 'a PNG that is cut',
      init: post(good.subarray(0, good.length / 2)),
      status: 400,
      code: 'ERR_IMAGE',
      message: 'expected a whole PNG, got a part of one',
    },
    {
      claim: 'a PNG whose pixels are not in its palette',
      init: post(outOfPalette()),
      status: 400,
      code: 'ERR_IMAGE',
      message: 'expected a PNG that can be decoded, got "Incorrect index of palette color"',
    },
    {
      claim: 'a PNG of a line of pixels',
      init: post(png(ihdr(10_900, 1), ['IDAT', deflateSync(new Uint8Array(32_701))], ['IEND', []])),
      status: 413,
      code: 'ERR_IMAGE_SIZE',
      message: 'expected an image at most 20 times as long as it is wide, got 10900 x 1',
    },
    {
      claim: 'a JPEG of a column of pixels',
      init: post(jpegHeader(1, 21), 'image/jpeg'),
      status: 413,
      code: 'ERR_IMAGE_SIZE',
      message: 'expected an image at most 20 times as long as it is wide, got 1 x 21',
    },
    ...[jpeg, progressive].flatMap((whole) =>
      [0.25, 0.5, 0.75, 0.99].map((part) => ({
        claim: `a JPEG of which ${part * 100} % are there`,
        init: post(whole.subarray(0, whole.length * part), 'image/jpeg'),
        status: 400,
        code: 'ERR_IMAGE',
        message: 'expected a whole JPEG, got a part of one',
      })),
    ),
    {
      claim: 'a JPEG that is cut and ends all the same',
      init: post(Uint8Array.of(...jpeg.subarray(0, jpeg.length / 2), 0xff, 0xd9), 'image/jpeg'),
      status: 400,
      code: 'ERR_IMAGE',
      message: 'expected a whole JPEG, got a part of one',
    },
    {
      claim: 'a JPEG in CMYK',
      init: post(await picture(1, { format: 'jpeg', space: 'cmyk' }), 'image/jpeg'),
      status: 400,
      code: 'ERR_IMAGE',
      message:
        'expected a JPEG of 8 bits in grey or colour (1 or 3 components), got CMYK, of 4 components; save it as RGB',
    },
    {
      claim: 'a JPEG of 12 bits',
      init: post(
        Uint8Array.from(jpegHeader(100, 100), (byte, i) => (i === 6 ? 12 : byte)),
        'image/jpeg',
      ),
      status: 400,
      code: 'ERR_IMAGE',
      message: 'expected a JPEG of 8 bits in grey or colour (1 or 3 components), got 12 bits; save it as RGB',
    },
    {
      claim: 'a JPEG of nothing but a size',
      init: post(jpegHeader(100, 100), 'image/jpeg'),
      status: 400,
      code: 'ERR_IMAGE',
      message: 'expected a JPEG that can be decoded, got one that is damaged, or neither baseline nor progressive',
    },
    {
      claim: 'a JPEG without a size',
      init: post(Uint8Array.of(0xff, 0xd8, 0xff, 0xd9), 'image/jpeg'),
      status: 400,
      code: 'ERR_IMAGE',
      message: 'expected a JPEG with a size, got none',
    },
    {
      claim: 'a JPEG of a hundred scans',
      init: post(Uint8Array.of(...jpegHeader(100, 100), ...scans), 'image/jpeg'),
      status: 400,
      code: 'ERR_IMAGE',
      message: 'expected a JPEG of at most 64 scans, got more',
    },
    {
      claim: 'a type that is not offered',
      init: post(good, 'image/png', { accept: 'text/html, image/webp' }),
      status: 406,
      code: 'ERR_ACCEPT',
      message: 'expected to accept application/octet-stream or application/json, got text/html, image/webp',
    },
    {
      claim: 'another method',
      init: { method: 'GET' },
      status: 405,
      code: 'ERR_METHOD',
      message: 'expected POST, got GET',
    },
    {
      claim: 'another path',
      path: '/constructor',
      init: post(good),
      status: 404,
      code: 'ERR_PATH',
      message: 'expected a path of /features, /embedding, /mask',
    },
  ];
}

/** So many bytes and one more in pieces, and no end. */
function endless(bytes) {
  let left = bytes + 1;
  return new ReadableStream({
    pull(controller) {
      const piece = Math.min(left, 2 ** 16);
      left -= piece;
      if (piece > 0) controller.enqueue(new Uint8Array(piece));
      else return new Promise(() => {});
    },
  });
}
