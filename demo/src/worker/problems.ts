/** Errors in words for people who didn't write the program: what it is, and what can be done about it. */

import {
  FormatError,
  KeyError,
  LayertapError,
  MemoryError,
  NetworkError,
  ShapeError,
  StateDictError,
  UnsupportedError,
} from 'layertap';
import { bytes } from '../format.ts';
import type { Problem } from '../protocol.ts';

/** What is said of a file that was copied or downloaded in part. */
const CUT = 'This weight file isn’t whole: its end is missing.';

/** What is said of weights that another network was trained to. */
export const OTHER_NETWORK = 'These weights are another network’s. Choose the network that they were trained for.';

/** What is said of a repository that may be private, in the place of the library's way out. */
const NO_TOKEN = 'This page takes no token: download the weights of a private one, and open the file.';

/** An error that is worded already. */
export class Said extends Error {
  readonly problem: Problem;

  constructor(title: string, detail: string, kind?: Problem['kind']) {
    super(title);
    this.problem = { title, detail, ...(kind && { kind }) };
  }
}

/** What is said of an error. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Said) return error.problem;
  const detail = error instanceof Error ? error.message : String(error);
  if (error instanceof MemoryError) return memoryProblem(detail);
  const deeper = /state dicts? under "(.+?)"/.exec(detail);
  if (error instanceof FormatError && deeper) return checkpointProblem(deeper[1]!);
  if (error instanceof FormatError && /the end is missing/.test(detail)) {
    return { title: CUT, detail: `Copy it or download it once more. ${detail}` };
  }
  if (error instanceof FormatError) return { title: 'This file isn’t a weight file.', detail };
  if (error instanceof NetworkError) {
    const told = detail.replace(/; pass token$/, `. ${NO_TOKEN}`).replace(/A private one takes a token$/, NO_TOKEN);
    return { kind: 'network', title: 'The weights couldn’t be fetched.', detail: told };
  }
  if (error instanceof StateDictError) {
    return { title: OTHER_NETWORK, detail: detail.replace(/^Error\(s\) in loading state_dict for \S+:\s*/, '') };
  }
  if (error instanceof ShapeError) return { title: 'This network can’t take an input of this size.', detail };
  if (error instanceof KeyError || error instanceof UnsupportedError) {
    return { title: 'This network can’t be opened.', detail };
  }
  if (error instanceof RangeError) return memoryProblem(detail);
  if (/expected a repository such as/.test(detail)) return { title: 'This isn’t the name of a repository.', detail };
  if (error instanceof LayertapError) return { title: 'The network couldn’t run.', detail };
  return { title: 'Something went wrong.', detail };
}

/** A training's file has the weights among others. */
function checkpointProblem(key: string): Problem {
  return {
    title: 'This file is a checkpoint, which holds more than the weights.',
    detail:
      `They are under ${JSON.stringify(key)}. In Python, save them alone: ` +
      `torch.save(checkpoint[${JSON.stringify(key)}], "weights.pth").`,
  };
}

/** The plan says beforehand what it would take. */
function memoryProblem(detail: string): Problem {
  const found = /within (\d+) bytes.*?got (at least )?(\d+)/.exec(detail);
  if (!found) {
    const title = 'This tab hasn’t enough memory. Choose a smaller input or network.';
    return { title, detail: 'Nothing was computed.' };
  }
  const [, budget, least = '', needed] = found;
  const fits = /what fits:.*?an input of \[1, 3, (\d+), (\d+)\]/.exec(detail);
  // The size that can be chosen is the shorter side's.
  const way = fits ? ` An input size of ${Math.min(+fits[1]!, +fits[2]!)} fits.` : ' Choose a smaller network.';
  return {
    title:
      `Too large for this tab: ${least}${bytes(Number(needed))} are needed, ` +
      `${bytes(Number(budget))} are allowed.${way}`,
    detail: 'Nothing was computed or allocated.',
  };
}
