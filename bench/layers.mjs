/** Single layers of real networks, with the shape of their input. */

import { AvgPool2d, Conv2d, MaxPool2d } from '../dist/index.js';

/** @typedef {{ name: string, build: () => import('../dist/index.js').Module<any>, shape: readonly number[] }} Layer */

/**
 * @param {number} from @param {number} to @param {number} kernel @param {number} size
 * @param {Partial<import('../dist/index.js').Conv2dOptions>} [options] @returns {Layer}
 */
function convolution(from, to, kernel, size, options = {}) {
  const { stride = 1, dilation = 1, groups = 1 } = options;
  const padding = options.padding ?? (Number(dilation) * (kernel - 1)) / 2;
  const depthwise = groups === from && groups > 1;
  const notes = [
    stride !== 1 && `s${stride}`,
    dilation !== 1 && `d${dilation}`,
    groups !== 1 && !depthwise && `g${groups}`,
  ];
  const channels = depthwise ? `${from}` : `${from}→${to}`;
  const name = [`${depthwise ? 'dw' : ''}${kernel}×${kernel}`, ...notes, `${channels} @${size}`]
    .filter(Boolean)
    .join(' ');
  return { name, build: () => new Conv2d(from, to, kernel, { ...options, padding }), shape: [1, from, size, size] };
}

/**
 * Layers of ResNet, DeepLab v3 and MobileNet v3, and last a projection of ResNet's and a grouped convolution of
 * ResNeXt's.
 */
export const LAYERS = [
  convolution(256, 64, 1, 56),
  convolution(64, 256, 1, 56),
  convolution(1024, 256, 1, 14),
  convolution(512, 2048, 1, 7),
  convolution(64, 64, 3, 56),
  convolution(128, 128, 3, 28),
  convolution(256, 256, 3, 14),
  convolution(512, 512, 3, 7),
  convolution(2048, 256, 3, 65, { dilation: 12 }),
  convolution(256, 256, 3, 65, { dilation: 2 }),
  convolution(3, 64, 7, 224, { stride: 2 }),
  convolution(120, 120, 3, 28, { groups: 120 }),
  convolution(672, 672, 5, 14, { groups: 672 }),
  convolution(240, 240, 3, 28, { groups: 240, stride: 2 }),
  {
    name: 'maxpool 3×3 s2 64 @112',
    build: () => new MaxPool2d(3, { stride: 2, padding: 1 }),
    shape: [1, 64, 112, 112],
  },
  { name: 'avgpool 2×2 s2 64 @112', build: () => new AvgPool2d(2), shape: [1, 64, 112, 112] },
  convolution(128, 128, 3, 56, { stride: 2 }),
  convolution(256, 512, 1, 56, { stride: 2 }),
  convolution(128, 128, 3, 56, { groups: 32 }),
];
