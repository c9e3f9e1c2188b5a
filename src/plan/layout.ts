/**
 * What lies in the arena and how long: the order of nodes, values inside others, scratch memory, planes on their way in
 * and out.
 */

import type { Node, Program, Value } from '../graph/graph.ts';
import { type Placement, placeConcats } from '../graph/passes/place-concats.ts';
import { placeResiduals } from '../graph/passes/place-residuals.ts';
import { placeViews } from '../graph/passes/place-views.ts';
import type { Algorithm, Prepared, Workspace } from '../ops/lowering/algorithm.ts';
import type { Constant } from '../ops/lowering/constant.ts';
import { channelsOf, imagePixels, pixelBytesOf, pixelsOf } from '../ops/lowering/slot.ts';
import { numel } from '../tensor/shape.ts';
import { type Lifetime, packArena } from './arena.ts';

/** One node with what it needs beside its values. */
export interface Placed {
  readonly node: Node;
  readonly algorithm: Algorithm<unknown>;
  readonly prepared: Prepared;
  readonly constants: readonly Constant[];
  readonly workspace: Workspace;
  /** Offsets of the epilogue's record and of the table. */
  readonly record: number;
  readonly table: number;
}

/** The owner of the planes that taps pass through on their way out. */
export const TAP_PLANES = {};

/** The most bytes of a tap's planes, little beside a network's values: a larger tap passes in pieces. */
const TAP_BYTES = 2 ** 18;

/** Pixels of a tap that are turned into planes at a time. */
export function tapPixels({ stored }: Value): number {
  const most = Math.max(1, Math.floor(TAP_BYTES / (channelsOf(stored) * 4)));
  const pixels = imagePixels(stored);
  // Where an image is one pixel, many pass together.
  return Math.min(pixels === 1 ? Math.max(stored[0]!, 1) : pixels, most);
}

/** A program's nodes in an order, and where everything lies in its arena. */
export interface Layout {
  readonly placed: readonly Placed[];
  readonly placements: ReadonlyMap<Value, Placement>;
  /** Offsets of values, of nodes' scratch memory, of inputs' and taps' planes. */
  readonly offsets: ReadonlyMap<object, number>;
  readonly bytes: number;
}

/**
 * The layout that takes the fewest bytes of those that were tried. The first has the nodes in the program's order. Then
 * each node that is the last reader of more bytes than it writes is tried earlier: just after the last of its inputs is
 * computed. It stays there where the arena shrinks. DeepLab's auxiliary classifier is such a node.
 *
 * @param inputPlanes the owners of the planes that inputs come in as
 */
export function layoutOf(program: Program, placed: readonly Placed[], inputPlanes: readonly object[]): Layout {
  let best = layoutInOrder(program, placed, inputPlanes);
  for (const moved of placed) {
    const { inputs, output } = moved.node;
    const from = best.placed.indexOf(moved);
    const isReadLater = (value: Value) =>
      program.taps.includes(value) || best.placed.some(({ node }, i) => i > from && node.inputs.includes(value));
    const dying = inputs.filter((value) => !isReadLater(value));
    if (dying.reduce((sum, value) => sum + bytesOf(value), 0) <= bytesOf(output)) continue;
    const to = best.placed.reduce((last, { node }, i) => (inputs.includes(node.output) ? i + 1 : last), 0);
    if (to === from) continue;
    const order = [...best.placed.slice(0, to), moved, ...best.placed.slice(to, from), ...best.placed.slice(from + 1)];
    const layout = layoutInOrder(program, order, inputPlanes);
    if (layout.bytes < best.bytes) best = layout;
  }
  return best;
}

function bytesOf({ stored }: Value): number {
  return pixelsOf(stored) * pixelBytesOf(stored);
}

function layoutInOrder(program: Program, placed: readonly Placed[], inputPlanes: readonly object[]): Layout {
  const ordered = { ...program, nodes: placed.map(({ node }) => node) };
  const addsInPlace = new Set(placed.filter(({ algorithm }) => algorithm.addsInPlace).map(({ node }) => node));
  const placements = placeResiduals(ordered, placeViews(ordered, placeConcats(ordered)), (node) =>
    addsInPlace.has(node),
  );
  const { owners, lifetimes } = lifetimesOf(program, placed, placements, inputPlanes);
  const { offsets, bytes } = packArena(lifetimes);
  return { placed, placements, offsets: new Map(owners.map((owner, i) => [owner, offsets[i]!])), bytes };
}

/** Everything that needs a place in the arena, and from which node to which, by their places in order. */
function lifetimesOf(
  { inputs, taps }: Program,
  placed: readonly Placed[],
  placements: ReadonlyMap<Value, Placement>,
  inputPlanes: readonly object[],
): { owners: object[]; lifetimes: Lifetime[] } {
  const spans = new Map<object, { bytes: number; first: number; last: number }>();
  const touch = (owner: object, bytes: number, at: number) => {
    const span = spans.get(owner);
    if (!span) spans.set(owner, { bytes, first: at, last: at });
    else {
      span.first = Math.min(span.first, at);
      span.last = Math.max(span.last, at);
    }
  };
  // A value inside another one keeps the other one alive.
  const touchValue = (value: Value, at: number) => {
    const owner = placements.get(value)?.inside ?? value;
    touch(owner, bytesOf(owner), at);
  };
  inputs.forEach((value, i) => {
    touch(inputPlanes[i]!, numel(value.shape) * 4, -1);
    touchValue(value, -1);
  });
  placed.forEach(({ node, workspace }, at) => {
    for (const value of [...node.inputs, node.output]) touchValue(value, at);
    if (workspace.scratchBytes > 0) touch(node, workspace.scratchBytes, at);
  });
  for (const value of taps) touchValue(value, placed.length);
  const tapBytes = taps.reduce((most, value) => Math.max(most, tapPixels(value) * channelsOf(value.stored) * 4), 0);
  touch(TAP_PLANES, tapBytes, placed.length);
  return { owners: [...spans.keys()], lifetimes: [...spans.values()] };
}
