/** Colour maps: functions from 0..1 to a colour, given by formulas. */

import { describe, ValueError } from '../errors.ts';

/** Red, green and blue, from 0 to 255. */
export type Color = readonly [red: number, green: number, blue: number];

/** The colour of a number from 0 to 1; fractions of bytes are rounded. */
export type Colormap = (t: number) => Color;

/**
 * The colour at t on a helix around the diagonal from black to white: lightness rises evenly, in print too.
 *
 * @see D. A. Green, A colour scheme for the display of astronomical intensity images, arXiv:1108.5083
 */
export function cubehelix(t: number): Color {
  const angle = 2 * Math.PI * (0.5 / 3 + 1 - 1.5 * t);
  const amplitude = (t * (1 - t)) / 2;
  const [cos, sin] = [amplitude * Math.cos(angle), amplitude * Math.sin(angle)];
  return [
    255 * (t - 0.14861 * cos + 1.78277 * sin),
    255 * (t - 0.29227 * cos - 0.90649 * sin),
    255 * (t + 1.97294 * cos),
  ];
}

/** The grey at t, from black to white. */
export function gray(t: number): Color {
  return [255 * t, 255 * t, 255 * t];
}

/** The colour at t of a glowing body: black, red, yellow, white, in three ramps of equal length. */
export function hot(t: number): Color {
  return [255 * ramp(3 * t), 255 * ramp(3 * t - 1), 255 * ramp(3 * t - 2)];
}

/**
 * The colour at t of a rainbow from dark blue over green to dark red, which papers on class activation use. Its
 * lightness doesn't rise evenly: {@link cubehelix} shows more.
 */
export function jet(t: number): Color {
  return [255 * tent(4 * t - 3), 255 * tent(4 * t - 2), 255 * tent(4 * t - 1)];
}

/** The number, at least 0 and at most 1. */
function ramp(x: number): number {
  return Math.min(Math.max(x, 0), 1);
}

/** 1 within a half of 0, falling to 0 at one and a half. */
function tent(x: number): number {
  return ramp(1.5 - Math.abs(x));
}

/** 256 colours in a row, three bytes each. @throws {@link ValueError} where the map is no function to colours */
export function tableOf(name: string, colormap: Colormap): Uint8ClampedArray {
  if (typeof colormap !== 'function') {
    const way = "import { jet } from 'layertap/tools'";
    throw new ValueError(`${name}: expected colormap as a function, got ${describe(colormap)}; ${way}`);
  }
  const table = new Uint8ClampedArray(256 * 3);
  for (let i = 0; i < 256; i++) {
    const color: unknown = colormap(i / 255);
    if (!Array.isArray(color) || color.length !== 3 || !color.every(Number.isFinite)) {
      const got = `${describe(color)} of ${i / 255}`;
      throw new ValueError(`${name}: expected colormap to give [red, green, blue] from 0 to 255, got ${got}`);
    }
    table.set(color, i * 3);
  }
  return table;
}
