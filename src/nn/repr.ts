/** How PyTorch prints modules and their attributes. */

/** `(3, 3)`; a pair of one value may be printed as that value. */
export function tuple(values: readonly (number | string | null)[]): string {
  return `(${values.map((v) => v ?? 'None').join(', ')})`;
}

/** `(3,)`: a tuple of one. */
export function single(value: number): string {
  return `(${value},)`;
}

/** A number where a layer got one for both axes, as its own attribute would print; otherwise a tuple. */
export function scalarOrTuple(given: number | readonly number[]): string {
  return typeof given === 'number' ? String(given) : tuple(given);
}

/** Python's True and False. */
export function bool(value: boolean): string {
  return value ? 'True' : 'False';
}

/** A float as Python prints it: `1e-05`, `0.1`, `1.0`. */
export function float(value: number): string {
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e16) return `${value}.0`;
  if (size >= 1e-4 && size < 1e16) return String(value);
  return value.toExponential().replace(/([+-])(\d)$/, '$10$2');
}

/** A module with its children, one below the other: `Sequential(…)`. */
export function hierarchy(name: string, extra: string, children: Iterable<readonly [string, unknown]>): string {
  const printed = [...children].map(([child, module]) =>
    `(${child}): ${module === null ? 'None' : String(module)}`.replaceAll('\n', '\n  '),
  );
  if (printed.length === 0) return `${name}(${extra})`;
  const lines = extra ? [extra, ...printed] : printed;
  return `${name}(\n  ${lines.join('\n  ')}\n)`;
}
