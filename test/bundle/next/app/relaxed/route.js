// A route of the edge runtime on an engine that is known to have relaxed SIMD.
import * as layertap from 'layertap';
import relaxed from 'layertap/relaxed';
import { golden } from '../../../golden.mjs';
import { probe } from '../../../probe.mjs';

export const runtime = 'edge';

export function GET() {
  layertap.setModule(relaxed);
  return Response.json(probe(layertap, golden));
}
