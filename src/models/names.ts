/** Names that a user writes: patterns of them, and which known ones are most like a wrong one. */

import { describe, distanceOf, ValueError } from '../errors.ts';

/**
 * What a whole name is tested by: `*` stands for any characters, `?` for one, `[xy]` for one of some, `[!xy]` for one
 * of all others.
 *
 * @param caller the public function that was given the pattern, for messages
 * @throws {@link ValueError} where it is no string
 */
export function patternOf(caller: string, pattern: string): RegExp {
  if (typeof pattern !== 'string') throw new ValueError(`${caller}: expected a pattern, got ${describe(pattern)}`);
  const source = pattern.replace(/\[(!?)([^\]]+)\]|[\\^$.|?*+(){}[\]]/g, (all, negated: string, set: string) => {
    if (set !== undefined) return `[${negated ? '^' : ''}${set.replace(/[\\^[]/g, '\\$&')}]`;
    return { '*': '.*', '?': '.' }[all as string] ?? `\\${all}`;
  });
  return new RegExp(`^${source}$`);
}

/** The names that are most like a wrong one, at most three: those that fewest characters tell apart. */
export function nearestNames(name: string, names: readonly string[]): string[] {
  const wanted = name.toLowerCase().replaceAll('-', '_').slice(0, 64);
  const distances = names
    .map((one) => [one, distanceOf(wanted, one.toLowerCase())] as const)
    .sort((a, b) => a[1] - b[1]);
  const [[, least]] = distances as [readonly [string, number]];
  return distances
    .filter(([, distance]) => distance === least && distance <= 3)
    .slice(0, 3)
    .map(([one]) => one);
}
