/** Pictures as browsers hold them: ImageData, canvases and their contexts, bitmaps, elements, video frames. */

import { describe, UnsupportedError, ValueError } from '../errors.ts';
import { checkImageSize, type Image, imageFromRgb, imageFromRgba } from '../image/image.ts';

/** What has pixels in bytes: ImageData, an {@link Image}, or what a decoder gives. */
export interface Pixels {
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

/** A 2d context, of a canvas or an OffscreenCanvas. */
export interface Context2d {
  readonly canvas: { readonly width: number; readonly height: number };
  /** The pixels of a rectangle, four bytes each. */
  getImageData(left: number, top: number, width: number, height: number): { readonly data: ArrayLike<number> };
}

/** A canvas, an OffscreenCanvas, or what packages for Node have in their place. */
export interface Canvas {
  readonly width: number;
  readonly height: number;
  /** A {@link Context2d}, or null where the canvas has a context of another kind. */
  getContext(type: '2d', options?: any): unknown;
}

/** What a 2d context can draw, where the host has one: ImageBitmap, HTMLImageElement, HTMLVideoElement, VideoFrame. */
export interface Drawable {
  readonly width?: number;
  readonly height?: number;
  readonly naturalWidth?: number;
  readonly naturalHeight?: number;
  readonly videoWidth?: number;
  readonly videoHeight?: number;
  readonly displayWidth?: number;
  readonly displayHeight?: number;
}

/** What {@link imageFrom} takes. */
export type ImageSource = Pixels | Context2d | Canvas | Drawable;

/**
 * The image of what a browser holds: ImageData, a canvas or an OffscreenCanvas, its 2d context, and what one can draw,
 * such as an ImageBitmap or an element. In sRGB; alpha is dropped. A canvas keeps colours multiplied by alpha, so what
 * is drawn loses those of transparent pixels.
 *
 *     const bitmap = await createImageBitmap(file, { colorSpaceConversion: 'none', imageOrientation: 'none' });
 *     const input = imageClassification(imageFrom(bitmap)); // as PIL's convert('RGB') has it
 *
 * @throws {@link ValueError} where it is none of these, or has no pixels (an element that hasn't loaded, a bitmap that
 *   was closed)
 * @throws {@link UnsupportedError} where the host can't draw, or the canvas has no 2d context
 * @throws as {@link imageFromRgba}; what the host throws for a canvas with pictures of other origins
 */
export function imageFrom(source: ImageSource): Image {
  if (typeof source !== 'object' || source === null) throw noPicture(source);
  if ('data' in source && 'width' in source) {
    const { data, width, height } = source as Pixels;
    const isRgb = data?.length === width * height * 3;
    return isRgb ? imageFromRgb(data.slice(), width, height) : imageFromRgba(data, width, height);
  }
  if ('getImageData' in source) return imageOf(source);
  if ('getContext' in source) return imageOf(contextOf(source));
  const { width, height } = sizeOf(source as Drawable);
  const context = contextOf(surface(width, height)) as Context2d & { drawImage(...args: unknown[]): void };
  context.drawImage(source, 0, 0, width, height);
  return imageOf(context);
}

function imageOf(context: Context2d): Image {
  const { width, height } = context.canvas;
  checkImageSize('imageFrom', width, height, 4);
  const { data } = context.getImageData(0, 0, width, height);
  return imageFromRgba(data as Uint8ClampedArray, width, height);
}

function contextOf(canvas: Canvas): Context2d {
  const context = canvas.getContext('2d', { willReadFrequently: true }) as Context2d | null;
  if (context) return context;
  throw new UnsupportedError('imageFrom: expected a canvas with a 2d context, got one with none or another');
}

/** The pixels of an element's picture, not those of the page that it takes. */
function sizeOf(source: Drawable): { width: number; height: number } {
  const width = source.naturalWidth ?? source.videoWidth ?? source.displayWidth ?? source.width;
  const height = source.naturalHeight ?? source.videoHeight ?? source.displayHeight ?? source.height;
  if (typeof width !== 'number' || typeof height !== 'number') throw noPicture(source);
  if (width > 0 && height > 0) return { width, height };
  const got = `${describe(source)} of ${width} x ${height}`;
  throw new ValueError(`imageFrom: expected a picture with pixels, got ${got}; has it loaded, or was it closed?`);
}

function noPicture(got: unknown): ValueError {
  const expected = 'ImageData, a canvas, its 2d context, or what one can draw';
  return new ValueError(`imageFrom: expected ${expected}, got ${describe(got)}`);
}

/** A canvas of this host's. */
function surface(width: number, height: number): Canvas {
  checkImageSize('imageFrom', width, height, 4);
  const { OffscreenCanvas, document } = globalThis as {
    readonly OffscreenCanvas?: new (width: number, height: number) => Canvas;
    readonly document?: { createElement(tag: 'canvas'): Canvas };
  };
  if (OffscreenCanvas) return new OffscreenCanvas(width, height);
  if (document) return Object.assign(document.createElement('canvas'), { width, height });
  throw new UnsupportedError(
    'imageFrom: expected a host with OffscreenCanvas or document, got neither; imageFromRgba takes decoded pixels',
  );
}
