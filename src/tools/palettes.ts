/** Colours of classes, by rules rather than tables. */

import { ValueError } from '../errors.ts';
import { whole } from '../options.ts';
import type { Color } from './colormaps.ts';

/**
 * Pascal VOC's colours of the first classes: a class's bits, three at a time from the lowest, are the bits of red,
 * green and blue from the highest. Class 0, the background, is black; 255 marks what has no class.
 *
 * @param classes 256 unless given; VOC has 21
 * @throws {@link ValueError} where it isn't a whole number from 1 to 256
 */
export function vocPalette(classes = 256): Color[] {
  whole('vocPalette: classes', classes);
  if (classes > 256) throw new ValueError(`vocPalette: expected at most 256 classes, got ${classes}`);
  return Array.from({ length: classes }, (_, index) => {
    const color: [number, number, number] = [0, 0, 0];
    for (let bit = 0; bit < 8; bit++) color[bit % 3]! |= ((index >> bit) & 1) << (7 - Math.floor(bit / 3));
    return color;
  });
}

/** Levels of red, green and blue that {@link distinctPalette} chooses among. */
const LEVELS = [0, 42, 85, 127, 170, 212, 255];

/**
 * As many colours as there are classes, each as far from all others as can be: 19 for Cityscapes, 150 for ADE20K. They
 * are layertap's own, not those of the data sets. The rule: among 7 levels of red, green and blue, each colour is the
 * one that is farthest from black, from white and from the colours before it; of equal ones, the first. So the first
 * colours of a palette are those of a shorter one.
 *
 * @param classes up to 341
 * @throws {@link ValueError} where it isn't a whole number from 1 to 341
 */
export function distinctPalette(classes: number): Color[] {
  whole('distinctPalette: classes', classes);
  const all: Color[] = LEVELS.flatMap((r) => LEVELS.flatMap((g) => LEVELS.map((b): Color => [r, g, b])));
  const most = all.length - 2;
  if (classes > most) throw new ValueError(`distinctPalette: expected at most ${most} classes, got ${classes}`);
  const squares = all.map((color) => Math.min(squareBetween(color, [0, 0, 0]), squareBetween(color, [255, 255, 255])));
  return Array.from({ length: classes }, () => {
    const farthest = all[squares.reduce((best, square, i) => (square > squares[best]! ? i : best), 0)]!;
    for (const [i, color] of all.entries()) squares[i] = Math.min(squares[i]!, squareBetween(color, farthest));
    return farthest;
  });
}

function squareBetween(a: Color, b: Color): number {
  return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2;
}
