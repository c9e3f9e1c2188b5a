/**
 * The images of scripts/goldens/image.py, by the same integer formulas, and the comparison with its goldens. No tests
 * in here.
 */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { type Image, imageFromRgb } from '../../src/image/image.ts';

/** Smooth, noisy, or noise of 0 and 255 only. */
export type Kind = 'waves' | 'noise' | 'edges';

/** Whole bytes, or a digest with every `step`th value. */
export interface Summary {
  base64?: string;
  sha256?: string;
  step?: number;
  samples?: number[];
}

interface ImageCase extends Summary {
  kind: Kind;
  from: [width: number, height: number];
  to: number | [width: number, height: number];
  size: [width: number, height: number];
}

interface Goldens {
  resize: (ImageCase & { interpolation: 'bilinear' | 'bicubic' })[];
  centerCrop: ImageCase[];
  toTensor: Summary;
  normalize: Summary;
  toImage: Summary;
  presets: (Summary & {
    preset: 'imageClassification' | 'semanticSegmentation';
    kind: Kind;
    from: [width: number, height: number];
    options: object;
    shape: number[];
  })[];
}

/** Pillow's and torchvision's results. */
export const goldens: Goldens = JSON.parse(
  readFileSync(new URL('../goldens/image/image.json', import.meta.url), 'utf8'),
);

/** A synthetic image. */
export function synthetic(kind: Kind, width: number, height: number): Image {
  const data = new Uint8Array(width * height * 3);
  let state = width * 65536 + height;
  for (let i = 0; i < data.length; i++) {
    const c = i % 3;
    const x = Math.floor(i / 3) % width;
    const y = Math.floor(i / 3 / width);
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const noise = state >>> 24;
    if (kind === 'waves') data[i] = (x * x * 3 + y * y * 5 + x * y * (c + 1) + c * 85) >> 4;
    else data[i] = kind === 'noise' ? noise : noise < 128 ? 0 : 255;
  }
  return imageFromRgb(data, width, height);
}

/** Fails unless the values equal the golden's bit for bit. */
export function expectSame(values: Uint8Array | Float32Array, golden: Summary): void {
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  if (golden.base64 !== undefined) {
    expect([...bytes]).toEqual([...Buffer.from(golden.base64, 'base64')]);
    return;
  }
  expect(golden.samples!.map((_, i) => values[i * golden.step!])).toEqual(golden.samples);
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(golden.sha256);
}
