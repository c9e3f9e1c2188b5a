/** Photos: the bytes of Pillow's convert('RGB') or a refusal, for pictures of every kind that Pillow reads. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readPhoto } from '../../cli/src/photo.js';
import { Folder } from './command.ts';

interface Golden {
  readonly mode: string;
  readonly size: readonly [width: number, height: number];
  readonly file: string;
  readonly rgb: string;
}

const { equal, refused } = JSON.parse(readFileSync('test/goldens/pictures/pictures.json', 'utf8')) as {
  equal: Record<string, Golden>;
  refused: Record<string, string>;
};

const folder = new Folder();

function photo(bytes: Uint8Array | string) {
  folder.write('photo', bytes);
  return readPhoto('--image', join(folder.path, 'photo'));
}

/** What a photo is refused with, without the file's folder. */
async function refusal(bytes: Uint8Array | string) {
  const outcome = await photo(bytes).catch((error: Error) => error);
  if (!(outcome instanceof Error)) throw new Error(`expected a refusal, got ${outcome.width}x${outcome.height} pixels`);
  return outcome.message.replace(join(folder.path, '/'), '');
}

describe("a photo is what Pillow's convert('RGB') makes of it:", () => {
  it.each(Object.entries(equal))('%s', async (_, { file, rgb, size: [width, height] }) => {
    const image = await photo(Buffer.from(file, 'base64'));
    expect(image).toMatchObject({ width, height });
    expect(Buffer.from(image.data).toString('base64')).toBe(rgb);
  });
});

describe('a photo is refused:', () => {
  const kinds = 'expected a JPEG, PNG, WebP or GIF, got';
  const grey =
    'expected a grey PNG of at most 8 bits a pixel, got 16; save it with 8, since Pillow makes all above 255 white';
  const messages: Record<string, string> = {
    'a GIF with transparent pixels': 'expected a GIF without transparent pixels, got one with some',
    'a grey PNG of 16 bits': grey,
    'a grey PNG of 16 bits with a transparent value': grey,
    'a BMP': `${kinds} a BMP`,
    'a PPM': `${kinds} something else`,
    'a TIFF': `${kinds} a TIFF or a raw photo`,
  };

  it('each with a message', () => expect(Object.keys(refused)).toEqual(Object.keys(messages)));

  it.each(Object.entries(refused))('%s', async (name, file) => {
    expect(await refusal(Buffer.from(file, 'base64'))).toBe(`--image photo: ${messages[name]}`);
  });

  it('an SVG, whose drawing has no bounds', async () => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>';
    expect(await refusal(svg)).toBe(`--image photo: ${kinds} an SVG`);
    expect(await refusal(`<?xml version="1.0"?>${svg}`)).toBe(`--image photo: ${kinds} an SVG`);
  });

  it.each([
    ['\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'a HEIC'],
    ['\0\0\0\x1cftypavif\0\0\0\0avifmif1', 'an AVIF'],
    ['%PDF-1.7\n', 'a PDF'],
    ['<!DOCTYPE html><title>404</title>', 'an HTML page'],
    ['no picture', 'something else'],
    ['', 'an empty file'],
  ])('%j, by its kind', async (bytes, kind) => {
    expect(await refusal(Buffer.from(bytes, 'latin1'))).toBe(`--image photo: ${kinds} ${kind}`);
  });

  /** A picture of a few pixels whose header says others. */
  function claiming(name: string, width: number, height: number) {
    const bytes = Buffer.from(equal[name]!.file, 'base64');
    if (name.startsWith('a JPEG')) {
      const frame = bytes.indexOf(Uint8Array.of(0xff, 0xc0));
      bytes.writeUInt16BE(height, frame + 5);
      bytes.writeUInt16BE(width, frame + 7);
    } else {
      bytes.writeUInt32BE(width, 16);
      bytes.writeUInt32BE(height, 20);
      bytes.writeUInt32BE(crc32(bytes.subarray(12, 29)), 29);
    }
    return bytes;
  }

  it.each([
    ['a PNG', 20_000, 10_000],
    ['a JPEG, 4:2:0', 50_000, 60_000],
  ])('%s of more pixels than Pillow decodes, before any is decoded', async (name, width, height) => {
    const message = `--image photo: expected a photo of at most 178956970 pixels, got ${width}x${height}`;
    expect(await refusal(claiming(name, width, height))).toBe(message);
  });

  it.each([
    ['a PNG', 10_747_923, 13],
    ['a JPEG, 4:2:0', 13_000, 13_000],
  ])('%s of more pixels than its bytes can hold, before any is decoded', async (name, width, height) => {
    const bytes = claiming(name, width, height);
    const message = `at most 10000 pixels for each of its ${bytes.length} bytes, got ${width}x${height}`;
    expect(await refusal(bytes)).toBe(`--image photo: expected a photo of ${message}`);
  });

  it('a folder, a device, and a file without bytes', async () => {
    const refusalOf = (path: string) => readPhoto('--image', path).catch((error: Error) => error.message);
    expect(await refusalOf(folder.path)).toBe(
      `--image ${folder.path}: expected a readable file, got "it is a directory"`,
    );
    expect(await refusalOf('/dev/zero')).toBe('--image /dev/zero: expected a readable file, got "it is a device"');
    expect(await refusal('')).toBe(`--image photo: ${kinds} an empty file`);
  });
});
