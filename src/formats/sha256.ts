/** Whether a file is the one whose name has the first digits of its SHA-256, as torch.hub checks it. */

import { describe, FormatError, ValueError } from '../errors.ts';

/** @throws {@link ValueError} where it was given, and isn't digits of a SHA-256 */
export function checkDigits(caller: string, digits: string | undefined): void {
  if (digits === undefined || (typeof digits === 'string' && /^[0-9a-f]{1,64}$/.test(digits))) return;
  throw new ValueError(`${caller}: expected sha256 as its first digits in hexadecimal, got ${describe(digits)}`);
}

/**
 * Fails bytes of another file. Hosts without `crypto.subtle`, such as pages that come by plain HTTP, check nothing.
 *
 * @param digits the first ones of the SHA-256
 * @throws {@link FormatError}
 */
export async function checkSha256(caller: string, bytes: Uint8Array, digits: string | undefined): Promise<void> {
  const subtle = globalThis.crypto?.subtle;
  if (digits === undefined || !subtle) return;
  const hash = new Uint8Array(await subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));
  const got = Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (got.startsWith(digits)) return;
  throw new FormatError(
    `${caller}: expected a file whose SHA-256 begins with ${digits}, got ${got.slice(0, digits.length)} of ` +
      `${bytes.length} bytes; the file is damaged, or another one`,
  );
}
