/** SHA-256, and whether a file is the one whose name has the first digits of it, as torch.hub checks that. */

import { describe, FormatError, ValueError } from '../errors.ts';
import { hexOf } from './hex.ts';

/** @throws {@link ValueError} where it was given, and isn't digits of a SHA-256 */
export function checkDigits(caller: string, digits: string | undefined): void {
  if (digits === undefined || (typeof digits === 'string' && /^[0-9a-f]{1,64}$/.test(digits))) return;
  throw new ValueError(`${caller}: expected sha256 as its first digits in hexadecimal, got ${describe(digits)}`);
}

/** The digits of a SHA-256; undefined on hosts without `crypto.subtle`, such as pages that come by plain HTTP. */
export async function sha256Of(bytes: Uint8Array): Promise<string | undefined> {
  const subtle = globalThis.crypto?.subtle;
  if (!subtle) return undefined;
  return hexOf(new Uint8Array(await subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)));
}

/**
 * Fails bytes of another file. Hosts that compute no SHA-256 check nothing.
 *
 * @param digits the first ones of the SHA-256
 * @throws {@link FormatError}
 */
export async function checkSha256(caller: string, bytes: Uint8Array, digits: string | undefined): Promise<void> {
  if (digits === undefined) return;
  const got = await sha256Of(bytes);
  if (got === undefined || got.startsWith(digits)) return;
  throw new FormatError(
    `${caller}: expected a file whose SHA-256 begins with ${digits}, got ${got.slice(0, digits.length)} of ` +
      `${bytes.length} bytes; the file is damaged, or another one`,
  );
}
