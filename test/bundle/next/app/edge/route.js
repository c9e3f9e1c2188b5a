// A route of the edge runtime.
import * as layertap from 'layertap';
import { golden } from '../../../golden.mjs';
import { probe } from '../../../probe.mjs';

export const runtime = 'edge';

export const GET = () => Response.json(probe(layertap, golden));
