/** The options that opening a file of any format takes, and their checks. */

import { describe, ValueError } from '../errors.ts';
import type { ReadLimits } from './byte-ranges.ts';
import { MAX_TIMER_MS } from './byte-source.ts';
import type { HttpOptions, HttpSettings } from './http-origin.ts';

/** Options of opening a file; those of {@link HttpOptions} matter to URLs only. */
export interface OpenOptions extends HttpOptions {
  /** Ends the opening; reading takes a signal of its own. */
  readonly signal?: AbortSignal | undefined;
  /** Unwanted bytes between tensors that are read over, rather than left out by another read; 128 KiB unless given. */
  readonly maxGapBytes?: number | undefined;
  /** The most bytes of one read, which is also what a failure makes to be read again at most; 16 MiB unless given. */
  readonly maxReadBytes?: number | undefined;
}

/** The most bytes of a header, which takes time and memory in proportion: 100,000 tensors need as many. */
export const MAX_HEADER_BYTES = 16 * 2 ** 20;

/** The defaults of the options that aren't HTTP's. */
export const READ_DEFAULTS = { signal: undefined, maxGapBytes: 128 * 2 ** 10, maxReadBytes: 16 * 2 ** 20 };

/** @throws {@link ValueError} naming the option that is out of range */
export function checkOpenSettings(caller: string, settings: ReadLimits & HttpSettings & { readonly signal: unknown }) {
  checkLimit(caller, 'maxGapBytes', settings.maxGapBytes, 0);
  checkLimit(caller, 'maxReadBytes', settings.maxReadBytes, 1);
  checkHttpSettings(caller, settings);
  checkSignal(caller, settings.signal);
}

/** @throws {@link ValueError} naming the option that is out of range */
export function checkHttpSettings(
  caller: string,
  { fetch, retries, retryDelayMs, stallTimeoutMs }: HttpSettings,
): void {
  checkCallable(caller, 'fetch', fetch);
  checkLimit(caller, 'retries', retries, 0);
  checkTime(caller, 'retryDelayMs', retryDelayMs, 0);
  if (stallTimeoutMs !== Infinity) checkTime(caller, 'stallTimeoutMs', stallTimeoutMs, 1, ', or Infinity');
}

function checkTime(caller: string, name: string, value: unknown, least: number, or = ''): void {
  if (typeof value === 'number' && value >= least && value <= MAX_TIMER_MS) return;
  const expected = `a number from ${least} to ${MAX_TIMER_MS}${or}`;
  throw new ValueError(`${caller}: expected ${name} as ${expected}, got ${describe(value)}`);
}

/** @throws {@link ValueError} where an option isn't a whole number, or below the least */
export function checkLimit(caller: string, name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new ValueError(`${caller}: expected ${name} to be a whole number >= ${least}, got ${describe(value)}`);
}

/** @throws {@link ValueError} where it is something else than an AbortSignal */
export function checkSignal(caller: string, signal: unknown): void {
  if (signal == null || typeof (signal as Partial<AbortSignal>).throwIfAborted === 'function') return;
  throw new ValueError(`${caller}: expected signal as an AbortSignal, got ${describe(signal)}`);
}

/** @throws {@link ValueError} where an option that was given isn't a function */
export function checkCallable(caller: string, name: string, value: unknown): void {
  if (value === undefined || typeof value === 'function') return;
  throw new ValueError(`${caller}: expected ${name} as a function, got ${describe(value)}`);
}
