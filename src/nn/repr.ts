/** How PyTorch prints attributes. */

/** `(3, 3)`; a pair of one value may be printed as that value. */
export function tuple(values: readonly (number | null)[]): string {
  return `(${values.map((v) => v ?? 'None').join(', ')})`;
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
  if (Number.isInteger(value)) return `${value}.0`;
  return String(value).replace(/e-(\d)$/, 'e-0$1').replace(/^0\.0000(\d+)$/, (_, digits: string) => `${digits.length > 1 ? `${digits[0]}.${digits.slice(1)}` : digits}e-05`);
}
