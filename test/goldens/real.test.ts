/**
 * The whole way from a file: real photos, real weights, torchvision's logits. The material isn't part of the project:
 * it lies in ../shared/real beside it, and where that or a decoder is missing the tests are skipped aloud.
 */

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadSafetensors } from '../../src/formats/safetensors-read.ts';
import { type Image, imageFromRgb } from '../../src/image/image.ts';
import { imageClassification } from '../../src/image/presets.ts';
import { squeezenet1_0 } from '../../src/models/index.ts';
import { binaries } from '../support/binaries.ts';
import { worstDisagreement } from '../support/tolerance.ts';

/** What is used of sharp, which is a dependency of the cli and may not be installed. */
type Sharp = (file: string, options: { ignoreIcc: boolean }) => Pixels;

interface Pixels {
  toColourspace(name: string): Pixels;
  removeAlpha(): Pixels;
  raw(): Pixels;
  toBuffer(options: {
    resolveWithObject: true;
  }): Promise<{ data: Uint8Array; info: { width: number; height: number } }>;
}

interface PhotoGolden {
  readonly top5: readonly (readonly [index: number, name: string, probability: number])[];
  readonly logits: readonly number[];
}

/** Logits are stored with five decimals; decoders of JPEG differ by some levels of a pixel. */
const boundFor = (photo: string) => (photo.endsWith('.jpg') ? 5e-2 : 1e-3);

const folder = fileURLToPath(new URL('../../../shared/real/', import.meta.url));
const decoder = 'sharp';
const sharp = await import(decoder).then(
  (module: { default: Sharp }) => module.default,
  () => null,
);
const lacks = [...(existsSync(folder) ? [] : [folder]), ...(sharp ? [] : ['the package sharp'])];
if (lacks.length > 0) console.warn(`Real photos are not tested: ${lacks.join(' and ')} not found.`);

describe.skipIf(lacks.length > 0)("squeezenet1_0 with real weights gives torchvision's logits", () => {
  const golden = (
    lacks.length > 0 ? {} : JSON.parse(readFileSync(`${folder}squeezenet1_0.golden.json`, 'utf8'))
  ) as Record<string, PhotoGolden>;
  const model = squeezenet1_0();
  beforeAll(() => {
    model.loadStateDict(loadSafetensors(readFileSync(`${folder}squeezenet1_0.safetensors`)));
  });

  describe.each(binaries)('in the %s binary', (binary) => {
    it.each(Object.keys(golden))('for %s', async (photo) => {
      const { logits, top5 } = golden[photo]!;
      model.compile({ deterministic: binary === 'simd' });
      const { data } = model.call(imageClassification(await decode(photo)));
      expect(model.compiled!.binary).toBe(binary);
      expect(data.length).toBe(1000);
      const worst = worstDisagreement(data, logits, () => boundFor(photo));
      expect(worst.ratio, JSON.stringify(worst)).toBeLessThanOrEqual(1);
      expect(data.indexOf(Math.max(...data))).toBe(top5[0]![0]);
    });
  });
});

/** The pixels as Pillow's convert('RGB') gives them: colour profiles, as rocket.jpg's Adobe RGB, are ignored. */
async function decode(photo: string): Promise<Image> {
  const file = sharp!(`${folder}photos/${photo}`, { ignoreIcc: true });
  const pixels = file.toColourspace('srgb').removeAlpha().raw();
  const { data, info } = await pixels.toBuffer({ resolveWithObject: true });
  return imageFromRgb(data, info.width, info.height);
}
