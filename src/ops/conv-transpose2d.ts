/**
 * Transposed 2-D convolution: each input pixel adds the kernel, times its values, to the output.
 *
 * Output pixels whose row and column have the same remainders by the stride are reached by the same taps of the kernel.
 * So for each pair of remainders it is a convolution of stride 1 with some of the taps, in reverse order: an indirect
 * GEMM, whose pixels are then put where they belong. With stride 1 there is one such pair, and nothing to put.
 */

import { ShapeError } from '../errors.ts';
import { Parameter } from '../tensor/parameter.ts';
import { formatShape, numel, type Shape } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';
import { PANEL } from '../wasm/kernels.gen.ts';
import type { Phase } from '../wasm/step.ts';
import { f32_copy } from '../wasm/steps.gen.ts';
import type { WeightStorage } from './lowering/algorithm.ts';
import { biasConstant, type Constant } from './lowering/constant.ts';
import { normConstant, writeEpilogue } from './lowering/epilogue.ts';
import { convolutionPhase, gemmScratchBytes, panelConstant, tableBytes } from './lowering/gemm.ts';
import { channelsOf, imageSizes, pixelsOf, type Slot, vectorBytes } from './lowering/slot.ts';
import type { Op, Reference } from './op.ts';
import { MOST, type Pair } from './rules/window.ts';

/** Attributes of {@link convTranspose2d}. */
export interface ConvTranspose2dAttrs {
  /** `[in, out / groups, height, width]`, or `[in, out / groups, width]` of one row. */
  readonly weight: Parameter;
  /** `[out]` */
  readonly bias: Parameter | null;
  readonly stride: Pair;
  /** What is cut off on each side. */
  readonly padding: Pair;
  /** What is added below and to the right, so that another input size of the convolution is met. */
  readonly outputPadding: Pair;
  readonly dilation: Pair;
  readonly groups: number;
}

/** The sizes of a weight by their names. */
function weightSizes({ weight, groups }: ConvTranspose2dAttrs) {
  const [channelsIn, outGroup, ...kernel] = weight.shape as [number, number, ...number[]];
  const [kernelWidth, kernelHeight = 1] = kernel.reverse() as [number, number?];
  return { channelsIn, inGroup: channelsIn / groups, outGroup, out: outGroup * groups, kernelHeight, kernelWidth };
}

/** Outputs of one axis with the same remainder, and the taps that reach them. */
interface Remainder {
  /** The first of these outputs; the others follow a stride apart. */
  readonly first: number;
  readonly count: number;
  /** Places in the kernel, in the order of the inputs that they are multiplied by; none where nothing reaches them. */
  readonly taps: readonly number[];
  /** The input that the first tap reads for the first output, and how far the other taps' inputs lie apart. */
  readonly start: number;
  readonly step: number;
}

/** The remainders of the axis of height (0) or width (1). */
function remaindersOf(size: number, outSize: number, axis: 0 | 1, attrs: ConvTranspose2dAttrs): readonly Remainder[] {
  const { kernelHeight, kernelWidth } = weightSizes(attrs);
  const [stride, padding, dilation] = [attrs.stride[axis], attrs.padding[axis], attrs.dilation[axis]];
  return Array.from({ length: Math.min(stride, outSize) }, (_, first) => {
    // Tap k takes input i to output i·stride + k·dilation − padding.
    const taps: number[] = [];
    for (let k = [kernelHeight, kernelWidth][axis]! - 1; k >= 0; k--) {
      if ((first + padding - k * dilation) % stride === 0) taps.push(k);
    }
    const count = Math.ceil((outSize - first) / stride);
    // Without taps a lone tap that reads beyond the image stands for nothing.
    const start = taps.length > 0 ? (first + padding - taps[0]! * dilation) / stride : size;
    const step = taps.length > 1 ? ((taps[0]! - taps[1]!) * dilation) / stride : 1;
    return { first, count, taps, start, step };
  });
}

/** One convolution of stride 1 of those that a transposed one consists of. */
interface Part {
  readonly rows: Remainder;
  readonly columns: Remainder;
  readonly taps: number;
  /** Its output's shape. */
  readonly shape: Shape;
  /** Its weight in the place of a convolution's: of that shape, without values. */
  readonly weight: Parameter;
}

function partsOf(x: Shape, output: Shape, attrs: ConvTranspose2dAttrs): readonly Part[] {
  const { images, height, width } = imageSizes(x);
  const out = imageSizes(output);
  const { inGroup } = weightSizes(attrs);
  const columnsOf = remaindersOf(width, out.width, 1, attrs);
  return remaindersOf(height, out.height, 0, attrs).flatMap((rows) =>
    columnsOf.map((columns) => {
      const taps = Math.max(1, rows.taps.length) * Math.max(1, columns.taps.length);
      const shape = [images, out.channels, rows.count, columns.count];
      return { rows, columns, taps, shape, weight: new Parameter([out.channels, inGroup, taps]) };
    }),
  );
}

/** The weights of all parts in panels, one after the other. */
function partsConstant(
  parts: readonly Part[],
  attrs: ConvTranspose2dAttrs,
  storage: WeightStorage,
): { readonly weights: Constant; readonly offsets: readonly number[] } {
  const { weight, stride, padding, dilation, groups } = attrs;
  const packed = parts.map((part) => panelConstant(part.weight, storage, groups));
  let bytes = 0;
  const offsets = packed.map((constant) => {
    bytes += constant.bytes;
    return bytes - constant.bytes;
  });
  const weights: Constant = {
    owner: weight,
    form: `transposed ${groups} ${storage} ${[stride, padding, dilation]} ${parts.length}`,
    bytes,
    weight,
    scratchBytes: packed.reduce((most, { scratchBytes = 0 }) => Math.max(most, scratchBytes), 0),
    write({ kernels, address, scratch, valuesOf, nameOf }) {
      const values = valuesOf(weight).float();
      packed.forEach((constant, i) => {
        const part = partValues(values, parts[i]!, attrs);
        constant.write({
          kernels,
          address: address + offsets[i]!,
          scratch,
          valuesOf: () => part,
          nameOf: () => nameOf(weight),
        });
      });
    },
  };
  return { weights, offsets };
}

/** A part's weight `[out, in / groups, taps]`. */
function partValues({ data }: Tensor<Float32Array>, part: Part, attrs: ConvTranspose2dAttrs): Tensor<Float32Array> {
  const { inGroup, outGroup, out, kernelHeight, kernelWidth } = weightSizes(attrs);
  const values = new Float32Array(out * inGroup * part.taps);
  const { taps: rows } = part.rows;
  const { taps: columns } = part.columns;
  if (rows.length > 0 && columns.length > 0) {
    let at = 0;
    for (let o = 0; o < out; o++) {
      for (let i = 0; i < inGroup; i++) {
        const channel = Math.floor(o / outGroup) * inGroup + i;
        const plane = (channel * outGroup + (o % outGroup)) * kernelHeight;
        for (const ky of rows) for (const kx of columns) values[at++] = data[(plane + ky) * kernelWidth + kx]!;
      }
    }
  }
  return new Tensor(values, part.weight.shape);
}

/** The steps that put a part's pixels where they belong. */
function spread(from: Slot, { rows, columns }: Part, output: Slot, [strideHeight, strideWidth]: Pair): Phase {
  const { images, height, width } = imageSizes(output.shape);
  return Array.from({ length: images * rows.count }, (_, i) => {
    const row = Math.floor(i / rows.count) * height + rows.first + (i % rows.count) * strideHeight;
    return f32_copy({
      pixels: columns.count,
      channels: channelsOf(output.shape),
      x: from.address + i * columns.count * from.pixelBytes,
      pixelBytes: from.pixelBytes,
      out: output.address + (row * width + columns.first) * output.pixelBytes,
      outBytes: strideWidth * output.pixelBytes,
    });
  });
}

/** @see torch.nn.functional.conv_transpose2d */
export const convTranspose2d: Op<ConvTranspose2dAttrs> = {
  name: 'conv_transpose2d',
  acceptsInEpilogue: ['norm', 'activation'],
  parameters: ({ weight, bias }) => [weight, bias],
  rows: ({ stride }, axis) => [1 / (stride[axis - 2] ?? 1)],
  mixedAxes: () => [2, 3],

  inferShape([x], attrs) {
    const { weight, stride, padding, outputPadding, dilation, groups } = attrs;
    const { channelsIn, out, kernelHeight, kernelWidth } = weightSizes(attrs);
    if (x!.length !== 4) {
      throw new ShapeError(`conv_transpose2d: expected x of shape [N, C, H, W], got ${formatShape(x!)}`);
    }
    if (x![1] !== channelsIn) {
      throw new ShapeError(
        `conv_transpose2d: expected x with ${channelsIn} channels (weight ${formatShape(weight.shape)}, groups ` +
          `${groups}), got ${x![1]} in x ${formatShape(x!)}`,
      );
    }
    if (outputPadding.some((added, axis) => added >= Math.max(stride[axis]!, dilation[axis]!))) {
      throw new ShapeError(
        'output padding must be smaller than either stride or dilation, but got output_padding_height: ' +
          `${outputPadding[0]} output_padding_width: ${outputPadding[1]} stride_height: ${stride[0]} stride_width: ` +
          `${stride[1]} dilation_height: ${dilation[0]} dilation_width: ${dilation[1]}`,
      );
    }
    const sizes = [kernelHeight, kernelWidth].map(
      (kernel, axis) =>
        (x![axis + 2]! - 1) * stride[axis]! -
        2 * padding[axis]! +
        dilation[axis]! * (kernel - 1) +
        1 +
        outputPadding[axis]!,
    );
    const isEmpty = x![2]! < 1 || x![3]! < 1;
    if (isEmpty || sizes.some((size) => size < 1 || size > MOST)) {
      throw new ShapeError(
        `conv_transpose2d: expected an output of 1 to ${MOST} pixels on each side, got ${sizes.join('x')} from x ` +
          `${formatShape(x!)}`,
      );
    }
    return [x![0]!, out, ...sizes];
  },

  macs: ([x], _output, { weight }) => (numel(x!) * weight.numel()) / weight.shape[0]!,

  algorithms: [
    {
      name: 'phases',

      prepare({ inputs, output, attrs, epilogue, engine, weightStorage }) {
        const { inGroup, outGroup, out } = weightSizes(attrs);
        const { groups, stride, bias } = attrs;
        const parts = partsOf(inputs[0]!, output, attrs);
        const layout = { channels: out, groups, multiple: PANEL };
        const { weights, offsets } = partsConstant(parts, attrs, weightStorage);
        const constants = { weights, bias: biasConstant(bias, layout), norm: normConstant(epilogue.norm, layout) };
        const tables = parts.map(({ shape, taps }) => tableBytes(pixelsOf(shape), taps, engine.tileRows));
        const most = (bytesOf: (part: Part) => number) =>
          parts.reduce((bytes, part) => Math.max(bytes, bytesOf(part)), 0);
        const gemmBytes = most(({ taps }) => gemmScratchBytes({ channelsIn: inGroup, taps, weightStorage }, engine));
        const isWhole = parts.length === 1;
        const pixelBytes = vectorBytes(out);
        const partBytes = isWhole ? 0 : most(({ shape }) => pixelsOf(shape) * pixelBytes);
        const macs = parts.reduce((sum, { shape, taps }) => sum + pixelsOf(shape) * out * inGroup * taps, 0);
        return {
          work: { macs, transformed: isWhole ? 0 : numel(output) },
          constants: [weights, constants.bias, constants.norm],
          workspace: {
            tableBytes: tables.reduce((sum, bytes) => sum + bytes, 0),
            scratchBytes: partBytes + gemmBytes,
            zeroBytes: channelsOf(inputs[0]!) * 4,
          },
          phases(binding) {
            const record = writeEpilogue(binding, epilogue, constants.norm, null);
            let { table } = binding;
            return parts.flatMap((part, i) => {
              const { rows, columns, shape } = part;
              const place = isWhole ? binding.output : { address: binding.scratch, shape, pixelBytes };
              const gemm = convolutionPhase(
                { ...binding, output: place, table },
                {
                  x: binding.inputs[0]!,
                  window: {
                    kernelSize: [Math.max(1, rows.taps.length), Math.max(1, columns.taps.length)],
                    stride: [1, 1],
                    padding: { top: -rows.start, left: -columns.start, bottom: 0, right: 0 },
                    dilation: [rows.step, columns.step],
                  },
                  engine,
                  weightStorage,
                  constants,
                  record,
                },
                {
                  groups,
                  channelsIn: inGroup,
                  channelsOut: outGroup,
                  weights: binding.addressOf(weights) + offsets[i]!,
                  scratch: binding.scratch + partBytes,
                },
              );
              table += tables[i]!;
              return isWhole ? [gemm] : [gemm, spread(place, part, binding.output, stride)];
            });
          },
        };
      },
    },
  ],
};

/** {@link convTranspose2d} by plain loops. */
export const referenceConvTranspose2d: Reference<ConvTranspose2dAttrs> = ([x], attrs) => {
  const { weight, bias, stride, padding, dilation } = attrs;
  const shape = convTranspose2d.inferShape([x!.shape], attrs);
  const { channels: out, height: outHeight, width: outWidth } = imageSizes(shape);
  const { height, width } = imageSizes(x!.shape);
  const { channelsIn, inGroup, outGroup, kernelHeight, kernelWidth } = weightSizes(attrs);
  const w = weight.values();
  const b = bias?.values();
  const sums = new Float64Array(numel(shape));
  for (let i = 0; i < x!.data.length; i++) {
    const [ix, iy] = [i % width, Math.floor(i / width) % height];
    const plane = Math.floor(i / (width * height));
    const [n, c] = [Math.floor(plane / channelsIn), plane % channelsIn];
    for (let o = 0; o < outGroup; o++) {
      const to = (n * out + Math.floor(c / inGroup) * outGroup + o) * outHeight;
      for (let ky = 0; ky < kernelHeight; ky++) {
        const oy = iy * stride[0] + ky * dilation[0] - padding[0];
        if (oy < 0 || oy >= outHeight) continue;
        for (let kx = 0; kx < kernelWidth; kx++) {
          const ox = ix * stride[1] + kx * dilation[1] - padding[1];
          if (ox < 0 || ox >= outWidth) continue;
          const tap = ((c * outGroup + o) * kernelHeight + ky) * kernelWidth + kx;
          sums[(to + oy) * outWidth + ox]! += x!.data[i]! * w[tap]!;
        }
      }
    }
  }
  const area = outHeight * outWidth;
  const y = Float32Array.from(sums, (sum, i) => sum + (b ? b[Math.floor(i / area) % out]! : 0));
  return new Tensor(y, shape);
};
