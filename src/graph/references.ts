/**
 * What each op computes, by plain loops. A list apart from the ops, so that a bundle without `interpret` has none of
 * these.
 */

import { assert } from '../errors.ts';
import { adaptiveAvgPool2d, referenceAdaptiveAvgPool2d } from '../ops/adaptive-avg-pool2d.ts';
import { avgPool2d, referenceAvgPool2d } from '../ops/avg-pool2d.ts';
import { cat, referenceCat } from '../ops/cat.ts';
import { channelShuffle, referenceChannelShuffle } from '../ops/channel-shuffle.ts';
import { convTranspose2d, referenceConvTranspose2d } from '../ops/conv-transpose2d.ts';
import { conv2d, referenceConv2d } from '../ops/conv2d/conv2d.ts';
import { interpolate, referenceInterpolate } from '../ops/interpolate.ts';
import { layerNorm, referenceLayerNorm } from '../ops/layer-norm.ts';
import { linear, referenceLinear } from '../ops/linear.ts';
import { relay } from '../ops/lowering/relay.ts';
import { maxPool2d, referenceMaxPool2d } from '../ops/max-pool2d.ts';
import { mul, referenceMul } from '../ops/mul.ts';
import type { Op, Reference } from '../ops/op.ts';
import { prelu, referencePrelu } from '../ops/prelu.ts';
import { referenceReshape, reshape } from '../ops/reshape.ts';
import { NO_EPILOGUE, referenceEpilogue } from '../ops/rules/epilogue.ts';

const REFERENCES = new Map<Op<any>, Reference<any>>([
  [adaptiveAvgPool2d, referenceAdaptiveAvgPool2d],
  [avgPool2d, referenceAvgPool2d],
  [cat, referenceCat],
  [channelShuffle, referenceChannelShuffle],
  [conv2d, referenceConv2d],
  [convTranspose2d, referenceConvTranspose2d],
  [interpolate, referenceInterpolate],
  [layerNorm, referenceLayerNorm],
  [linear, referenceLinear],
  [maxPool2d, referenceMaxPool2d],
  [mul, referenceMul],
  [prelu, referencePrelu],
  [relay, ([x]) => x!],
  [reshape, referenceReshape],
]);

/** An op's reference. An op that is a part of epilogues is an epilogue of that part alone. */
export function referenceOf<A>(op: Op<A>): Reference<A> {
  const own = op.reference ?? REFERENCES.get(op);
  if (own) return own;
  return ([x, residual = null], attrs) => {
    const part = op.asEpiloguePart?.(attrs);
    assert(part, 'every op has a reference');
    return referenceEpilogue(x!, { ...NO_EPILOGUE, ...part }, residual);
  };
}
