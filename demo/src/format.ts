/** Numbers as people read them. */

/** What is said where a network has no weights. */
export function withoutWeights(network: string): string {
  return `${network} has no weights yet.`;
}

const UNITS = ['bytes', 'kB', 'MB', 'GB'];

/** `4.2 MB`, in powers of 1000. */
export function bytes(count: number): string {
  let [value, unit] = [count, 0];
  while (value >= 1000 && unit < UNITS.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** `12.3 ms`, `1.20 s`. */
export function milliseconds(ms: number): string {
  return ms >= 1000 ? `${(ms / 1000).toFixed(2)} s` : `${ms >= 100 ? Math.round(ms) : ms.toFixed(1)} ms`;
}

/** `64 × 26 × 32`: a shape without its batch axis. */
export function shape(sizes: readonly number[]): string {
  return sizes.slice(1).join(' × ');
}

/** `83.1 %`. */
export function percent(part: number): string {
  return `${(part * 100).toFixed(1)} %`;
}

/** `0.123`, `12.3`, `1.2e+5`. */
export function value(x: number): string {
  if (!Number.isFinite(x)) return 'no number';
  return Math.abs(x) >= 1e4 || (x !== 0 && Math.abs(x) < 1e-3) ? x.toExponential(1) : x.toPrecision(3);
}
