// A route of Node, at each request rather than while building.
import * as layertap from 'layertap';
import { golden } from '../../../golden.mjs';
import { probe } from '../../../probe.mjs';

export const dynamic = 'force-dynamic';

export const GET = () => Response.json(probe(layertap, golden));
