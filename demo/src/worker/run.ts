/** A run on a picture: features first, as heat maps; then what takes longer to draw; then how long each layer takes. */

import {
  type FeatureExtractor,
  type Image,
  imageToRgba,
  normalize,
  type Shape,
  type Tensor,
  tensor,
  toImage,
  zeros,
} from 'layertap';
import {
  argmax,
  type ChannelGrid,
  cat,
  channelGrid,
  channelsFirst,
  classActivationMaps,
  heatmap,
  maskToRgba,
  overlay,
  pcaToRgb,
  softmax,
  topk,
  unstack,
} from 'layertap/tools';
import type { Answer, Event, LayerDetails, LayerMaps, Picture } from '../protocol.ts';
import { inputShape, type Network, shapesOf } from './network.ts';
import { ANSWER, CAM, type Session } from './session.ts';

/** Channels that a grid shows. */
const GRID = 16;

/** How many pixels wide a grid is on a small screen. */
const NARROW = 160;

/** Runs for times take at most so many multiply-accumulates. Beyond that the turns of the run itself tell them. */
const TIMED_MACS = 40e9;

/** How often a layer's run is repeated for its time at least: in two rounds, a run that isn't timed before each. */
const REPEATS = 4;

/** Rounds go on for so many milliseconds: those of a small network are too short to tell by two. */
const TIMED_MS = 100;

/** What a run is asked for. */
export interface RunOptions {
  readonly layers: readonly string[];
  readonly size: number;
  readonly withAnswer: boolean;
  readonly emit: (event: Event) => void;
  readonly signal: AbortSignal;
}

/** Computes what is asked for, and tells it as it comes. */
export async function run(session: Session, picture: Image, options: RunOptions) {
  const { layers, size, withAnswer, emit, signal } = options;
  const { network } = session;
  session.plan(layers, withAnswer, inputShape(network, picture, size));
  const x = network.prepare(picture, size);
  const seen = seenBy(x, network);
  emit({ type: 'input', picture: pictureOf(seen) });
  const tellShapes = () => emit({ type: 'shapes', shapes: shapesOf(network, x.shape) });
  if (!session.hasWeights) {
    tellShapes();
    return null;
  }
  const extractor = session.extractor(layers, withAnswer);
  await session.load(extractor, emit, signal);
  /** When the run had come how far, in multiply-accumulates. */
  const turns: { readonly macs: number; readonly ms: number }[] = [];
  const start = performance.now();
  const onProgress = ({ done, total }: { readonly done: number; readonly total: number }) => {
    turns.push({ macs: done, ms: performance.now() - start });
    emit({ type: 'progress', done: total > 0 ? done / total : 1 });
  };
  const features = await extractor.forwardAsync(x, { signal, onProgress });
  const ms = performance.now() - start;
  for (const layer of layers) {
    emit({ type: 'maps', ...mapsOf(layer, features.get(layer)!, seen) });
    await turn(signal);
  }
  const scores = features.get(ANSWER) ?? (withAnswer ? [...features.values()].at(-1) : undefined);
  if (scores) emit({ type: 'answer', answer: answerOf(session, features, { scores, seen }) });
  tellShapes();
  for (const layer of layers) {
    await turn(signal);
    emit({ type: 'details', ...detailsOf(layer, features.get(layer)!, seen) });
  }
  const byName = new Map(extractor.featureInfo(x.shape).map((info) => [info.name, info]));
  // In the network's order. Two layers whose last step is the same one come in either order from the extractor.
  const infos = layers.map((layer) => byName.get(layer)!);
  const isLong = infos.reduce((sum, { macs }) => sum + macs * REPEATS, 0) > TIMED_MACS;
  emit({ type: 'times', ms: isLong ? timesOf(infos, turns) : await measured(extractor, infos, { x, signal }) });
  return { ms, memoryBytes: extractor.compiled?.memoryBytes ?? 0 };
}

/** The picture as the network sees it: resized, cropped. */
function seenBy(x: Tensor<Float32Array>, { mean, std }: Network): Image {
  // Normalised back: (x + mean / std) * std.
  return toImage(
    normalize(
      x,
      mean.map((value, c) => -value / std[c]!),
      std.map((value) => 1 / value),
    ),
  );
}

/** The shape of a network's input. */
function shapeOf({ width, height }: Image): Shape {
  return [1, 3, height, width];
}

function pictureOf(image: Image): Picture {
  return { data: imageToRgba(image), width: image.width, height: image.height };
}

/** Whether a feature has pixels: more than the one that pooling leaves. */
function isSpatial({ shape }: Tensor): boolean {
  return shape.length === 4 && shape[2]! * shape[3]! > 1;
}

function mapsOf(layer: string, feature: Tensor, seen: Image): LayerMaps {
  const { shape } = feature;
  if (!isSpatial(feature)) return { layer, shape, heat: null, overlay: null, ...rangeOf(feature) };
  const { width, height } = seen;
  const heat = heatmap(channelsFirst(feature, shapeOf(seen)), { width, height, percentile: 99.5 });
  return {
    layer,
    shape,
    heat,
    overlay: overlay(seen, heat, { alpha: 0.6 }),
    low: heat.low,
    high: heat.high,
  };
}

function rangeOf({ data }: Tensor): { low: number; high: number } {
  let [low, high] = [Infinity, -Infinity];
  for (const value of data as Float32Array) [low, high] = [Math.min(low, value), Math.max(high, value)];
  return { low, high };
}

function detailsOf(layer: string, given: Tensor, seen: Image): LayerDetails {
  if (!isSpatial(given)) {
    const count = given.shape[1]!;
    return { layer, pca: null, explained: [], channels: stripOf(given), shown: count, count };
  }
  const feature = channelsFirst(given, shapeOf(seen));
  const { width, height } = seen;
  const canColour = feature.data.every((value) => Number.isFinite(Number(value)));
  const pca = canColour ? pcaToRgb(feature, { width, height }) : null;
  const count = feature.shape[1]!;
  const shown = Math.min(GRID, count);
  const channels = spaced(channelGrid(feature, shown), feature.shape);
  return { layer, pca, explained: pca?.explained ?? [], channels, shown, count };
}

/** A grid whose gaps are a pixel wide on a screen, too, where it is shown smaller than it is. */
function spaced(grid: ChannelGrid, shape: Shape): Picture {
  const [height, width] = [shape[2]!, shape[3]!];
  const { columns, rows } = grid;
  const gap = Math.ceil((columns * width) / NARROW);
  if (gap === 1) return grid;
  const [wide, high] = [columns * (width + gap) - gap, rows * (height + gap) - gap];
  const data = new Uint8ClampedArray(wide * high * 4);
  for (let y = 0; y < rows * height; y++) {
    const [row, line] = [Math.floor(y / height), y % height];
    for (let column = 0; column < columns; column++) {
      const from = ((row * (height + 1) + line) * grid.width + column * (width + 1)) * 4;
      const to = ((row * (height + gap) + line) * wide + column * (width + gap)) * 4;
      data.set(grid.data.subarray(from, from + width * 4), to);
    }
  }
  return { data, width: wide, height: high };
}

/** A vector as rows of 32 values. */
function stripOf(feature: Tensor): Picture {
  const values = feature.data as Float32Array;
  const width = Math.min(32, values.length);
  const height = Math.ceil(values.length / width);
  const rows = new Float32Array(width * height).fill(Number.NaN);
  rows.set(values.slice(0, width * height));
  return heatmap(tensor(rows, [height, width]));
}

function answerOf(
  { network, cam }: Session,
  features: ReadonlyMap<string, Tensor>,
  { scores, seen }: { readonly scores: Tensor; readonly seen: Image },
): Answer {
  const { kind, classes, palette, model } = network;
  const isNumber = (value: number) => Number.isFinite(value);
  const numbers = (scores.data as Float32Array).reduce((sum, value) => sum + (isNumber(value) ? 1 : 0), 0);
  if (numbers < scores.data.length) {
    return { kind: 'noNumbers', count: scores.data.length - numbers, of: scores.data.length };
  }
  const nameOf = (index: number) => classes?.[index] ?? `class ${index}`;
  if (kind === 'classification') {
    const { values, indices } = topk(softmax(scores), Math.min(5, scores.shape[1]!));
    const feature = cam && (features.get(CAM) ?? features.get(cam.feature));
    const weight =
      cam &&
      model
        .getSubmodule(cam.weight.replace(/\.weight$/, ''))
        .stateDict()
        .get('weight');
    const maps = feature && weight ? unstack(classActivationMaps(feature, weight, [...indices.data]), 1) : [];
    const { width, height } = seen;
    const top = Array.from(indices.data, (index, i) => ({
      name: nameOf(index),
      probability: values.data[i]!,
      where: maps[i] ? overlay(seen, heatmap(unstack(maps[i])[0]!, { width, height }), { alpha: 0.6 }) : null,
    }));
    return { kind: 'classes', top };
  }
  // Of one class, a pixel is in it where its score is above 0, which is a probability above one half.
  const isOne = scores.shape[1] === 1;
  const mask = argmax(isOne ? cat([zeros(scores.shape), scores], 1) : scores, { dim: 1 });
  const maskNameOf = (index: number) => (isOne ? `${index === 0 ? 'not ' : ''}${nameOf(0)}` : nameOf(index));
  const counts = new Map<number, number>();
  for (const index of mask.data) counts.set(index, (counts.get(index) ?? 0) + 1);
  const drawn = maskToRgba(mask, palette);
  const legend = [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([index, count]) => ({ name: maskNameOf(index), color: palette[index]!, share: count / mask.data.length }));
  return {
    kind: 'mask',
    mask: drawn,
    overlay: overlay(seen, maskToRgba(mask, palette, { transparent: 0 }), { alpha: 0.65 }),
    legend,
  };
}

/** What a layer takes, from the input on. */
interface Cost {
  readonly name: string;
  readonly macs: number;
}

/**
 * Milliseconds from the input to each layer: a run that ends there, once it is warm. A run that goes on to a later
 * layer comes past those before it, so they take at most as long as that took.
 */
async function measured(
  extractor: FeatureExtractor<string>,
  infos: readonly Cost[],
  { x, signal }: { readonly x: Tensor; readonly signal: AbortSignal },
) {
  const times: Record<string, number> = {};
  const begin = performance.now();
  // In rounds, since engines improve their code meanwhile: the first layer would seem the slowest.
  for (let round = 0; 2 * round < REPEATS || performance.now() - begin < TIMED_MS; round++) {
    for (const { name } of infos) {
      const run = () => extractor.forwardAsync(x, { only: [name], signal });
      await run();
      const start = performance.now();
      await run();
      // The shortest one was disturbed least.
      times[name] = Math.min(times[name] ?? Infinity, performance.now() - start);
    }
  }
  for (const [i, { name, macs }] of infos.entries()) {
    // A branch that needs less than a layer before it doesn't come past that.
    for (const later of infos.slice(i))
      if (later.macs >= macs) times[name] = Math.min(times[name]!, times[later.name]!);
  }
  return times;
}

/** The same by the turns of a long run: the first by which as much was computed as a layer takes. */
function timesOf(infos: readonly Cost[], turns: readonly { readonly macs: number; readonly ms: number }[]) {
  const times: Record<string, number> = {};
  for (const { name, macs } of infos) {
    const reached = turns.find((at) => at.macs >= macs);
    if (reached) times[name] = reached.ms;
  }
  return times;
}

/** A turn of the event loop, in which a newer request may end this one. */
function turn(signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      signal.aborted ? reject(signal.reason) : resolve();
    };
    port2.postMessage(null);
  });
}
