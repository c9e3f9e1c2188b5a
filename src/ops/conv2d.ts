/**
 * 2-D convolution (cross-correlation, as in PyTorch): zero padding for each side, stride, dilation, groups.
 *
 * Three forms, chosen by the layer alone: `indirect` (assembly/conv2d.ts), `rows` for inputs of few channels, where a
 * filter row is one contiguous run of a padded copy, and `depthwise` (assembly/dwconv2d.ts).
 */

import { ShapeError } from '../errors.ts';
import type { Parameter } from '../tensor/parameter.ts';
import { formatShape, numel, type Shape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { epilogueArguments, normConstants, type VectorForm } from './epilogue.ts';
import { biasConstant, blockTiles, panelConstant, tableBytes } from './gemm.ts';
import { channelsOf, type Constant, inOrder, type Op, pixelBytesOf, pixelsOf, stepOf } from './op.ts';
import { type Pair, type Sides, windowCounts } from './window.ts';

/** Attributes of {@link conv2d}. */
export interface Conv2dAttrs {
  /** `[out, in / groups, height, width]` */
  readonly weight: Parameter;
  /** `[out]` */
  readonly bias: Parameter | null;
  readonly stride: Pair;
  readonly padding: Sides;
  readonly dilation: Pair;
  readonly groups: number;
}

type Form = 'indirect' | 'rows' | 'depthwise';

function formOf({ weight, groups, dilation }: Conv2dAttrs): Form {
  const [out, inGroup, , kernelWidth] = weight.shape as [number, number, number, number];
  if (groups > 1 && inGroup === 1 && out === groups) return 'depthwise';
  return groups === 1 && inGroup < 8 && kernelWidth > 1 && dilation[1] === 1 ? 'rows' : 'indirect';
}

function vectorForm({ weight, groups }: Conv2dAttrs, form: Form): VectorForm {
  return { channels: weight.shape[0]!, groups: form === 'depthwise' ? 1 : groups, panel: form === 'depthwise' ? 4 : 8 };
}

/** @see torch.nn.functional.conv2d */
export const conv2d: Op<Conv2dAttrs> = {
  name: 'conv2d',
  takes: ['norm', 'residual', 'clamp'],

  inferShape([x], attrs) {
    const { weight, groups } = attrs;
    const [out, inGroup, kernelHeight, kernelWidth] = weight.shape as [number, number, number, number];
    if (x!.length !== 4) throw new ShapeError(`conv2d: expected x of shape [N, C, H, W], got ${formatShape(x!)}`);
    if (x![1] !== inGroup * groups) {
      throw new ShapeError(
        `conv2d: expected x with ${inGroup * groups} channels (weight ${formatShape(weight.shape)}, groups ${groups}), ` +
          `got ${x![1]} in x ${formatShape(x!)}`,
      );
    }
    const counts = windowCounts('conv2d', x!, { ...attrs, kernelSize: [kernelHeight, kernelWidth] });
    return [x![0]!, out, ...counts];
  },

  macs(_inputs, output, { weight }) {
    return (numel(output) * weight.numel()) / weight.shape[0]!;
  },

  reference([x], attrs) {
    const { weight, bias, stride, padding, dilation, groups } = attrs;
    const shape = conv2d.inferShape([x!.shape], attrs);
    const [images, out, outHeight, outWidth] = shape as [number, number, number, number];
    const [, channels, height, width] = x!.shape as [number, number, number, number];
    const [, inGroup, kernelHeight, kernelWidth] = weight.shape as [number, number, number, number];
    const w = weight.values();
    const b = bias?.values();
    const y = new Float32Array(numel(shape));
    let at = 0;
    for (let n = 0; n < images; n++) {
      for (let o = 0; o < out; o++) {
        const first = n * channels + Math.floor(o / (out / groups)) * inGroup;
        for (let oy = 0; oy < outHeight; oy++) {
          for (let ox = 0; ox < outWidth; ox++) {
            let sum = b ? b[o]! : 0;
            for (let c = 0; c < inGroup; c++) {
              for (let ky = 0; ky < kernelHeight; ky++) {
                const iy = oy * stride[0] - padding.top + ky * dilation[0];
                if (iy < 0 || iy >= height) continue;
                for (let kx = 0; kx < kernelWidth; kx++) {
                  const ix = ox * stride[1] - padding.left + kx * dilation[1];
                  if (ix < 0 || ix >= width) continue;
                  const weightAt = ((o * inGroup + c) * kernelHeight + ky) * kernelWidth + kx;
                  sum += x!.data[((first + c) * height + iy) * width + ix]! * w[weightAt]!;
                }
              }
            }
            y[at++] = sum;
          }
        }
      }
    }
    return new Tensor(y, shape);
  },

  constants(attrs, epilogue) {
    const form = formOf(attrs);
    const vector = vectorForm(attrs, form);
    const weight = form === 'depthwise' ? depthwiseConstant(attrs.weight) : panelConstant(attrs.weight, attrs.groups);
    return [weight, biasConstant(attrs.bias, vector), ...normConstants(epilogue, vector)];
  },

  workspace([x], output, attrs, { tileRows }) {
    const form = formOf(attrs);
    const [, , kernelHeight, kernelWidth] = attrs.weight.shape as [number, number, number, number];
    const taps = form === 'rows' ? kernelHeight : kernelHeight * kernelWidth;
    const padded = paddedShape(x!, attrs.padding);
    return {
      tableBytes: form === 'depthwise' ? 0 : tableBytes(pixelsOf(output), taps, tileRows),
      scratchBytes:
        form === 'rows'
          ? numel(padded) * 4
          : form === 'depthwise' && isPadded(attrs.padding)
            ? pixelsOf(padded) * pixelBytesOf(padded)
            : 0,
      zeroBytes: form === 'indirect' ? channelsOf(x!) * 4 : 0,
    };
  },

  bind(binding, attrs) {
    const { kernels, engine, inputs, output, constants, table, scratch, zeros } = binding;
    const [x] = inputs;
    const { weight, stride, padding, dilation, groups } = attrs;
    const [out, inGroup, kernelHeight, kernelWidth] = weight.shape as [number, number, number, number];
    const [images, channels, height, width] = x!.shape as [number, number, number, number];
    const [outHeight, outWidth] = output.shape.slice(2) as [number, number];
    const [packed, bias] = constants as [number, number];
    const epilogue = epilogueArguments(binding);
    const form = formOf(attrs);

    // What the kernel reads: x, or a copy of it with its padding around.
    const copies = form === 'rows' || (form === 'depthwise' && isPadded(padding));
    const [, , readHeight, readWidth] = (copies ? paddedShape(x!.shape, padding) : x!.shape) as number[];
    const read = copies ? scratch : x!.address;
    const readBytes = form === 'rows' ? channels * 4 : x!.pixelBytes;
    const pad = stepOf(
      kernels.f32_pad2d,
      ...([images, channels, height, width, readHeight!, readWidth!, padding.top, padding.left] as const),
      ...([x!.address, x!.pixelBytes, read, readBytes] as const),
    );

    if (form === 'depthwise') {
      const sizes = [images, channels, readHeight!, readWidth!, outHeight, outWidth] as const;
      const window = [kernelHeight, kernelWidth, ...stride, ...dilation] as const;
      const addresses = [read, readBytes, packed, output.address, output.pixelBytes, bias] as const;
      const convolve = stepOf(kernels.f32_dwconv2d, ...sizes, ...window, ...addresses, ...epilogue);
      return copies ? inOrder(pad, convolve) : convolve;
    }

    const isRows = form === 'rows';
    const { tileRows } = engine;
    kernels.f32_conv2d_table(
      ...([images, readHeight!, readWidth!, outHeight, outWidth, kernelHeight, isRows ? 1 : kernelWidth] as const),
      ...([...stride, isRows ? 0 : padding.top, isRows ? 0 : padding.left, ...dilation, tileRows] as const),
      ...([read, readBytes, zeros, table] as const),
    );
    const rows = pixelsOf(output.shape);
    const taps = isRows ? kernelHeight : kernelHeight * kernelWidth;
    const sizes = [rows, groups, isRows ? kernelWidth * channels : inGroup, out / groups, taps] as const;
    const schedule = [tileRows, blockTiles(readBytes, tileRows)] as const;
    const addresses = [table, packed, output.address, output.pixelBytes, bias] as const;
    const convolve = stepOf(kernels.f32_conv2d, ...sizes, ...schedule, ...addresses, ...epilogue);
    return isRows ? inOrder(pad, convolve) : convolve;
  },
};

function depthwiseConstant(weight: Parameter): Constant {
  const [channels] = weight.shape as [number];
  const taps = numel(weight.shape.slice(2));
  return {
    owner: weight,
    form: 'depthwise',
    bytes: Math.ceil(channels / 4) * 4 * taps * 4,
    write: ({ kernels, address, stage }) =>
      kernels.f32_pack_dwconv2d(channels, taps, stage(weight.values()), address),
  };
}

function isPadded({ top, left, bottom, right }: Sides): boolean {
  return top + left + bottom + right > 0;
}

function paddedShape(x: Shape, { top, left, bottom, right }: Sides): Shape {
  return [x[0]!, x[1]!, x[2]! + top + bottom, x[3]! + left + right];
}
