import * as layertap from 'layertap';
import { ThreadPool } from 'layertap/threads';
import { golden } from './golden.mjs';
import { probeThreads } from './probe.mjs';

console.log(JSON.stringify(await probeThreads(layertap, ThreadPool, golden)));
