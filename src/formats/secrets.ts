/**
 * URLs and texts of others as messages show them. A URL's user, password and query may be secrets, and messages end up
 * in logs.
 */

import { cut } from '../errors.ts';

/** The most characters of a URL that a message shows: paths of the hub's files are longer than other names. */
const MOST_OF_URL = 200;

/** A URL for messages: without user, password, query and fragment, which may be secrets. */
export function shown({ protocol, host, pathname }: URL): string {
  return cut(
    /^https?:$/.test(protocol) ? `${protocol}//${host}${pathname}` : `${protocol}${pathname.replace(/^.*@/s, '…@')}`,
    MOST_OF_URL,
  );
}

/** A text whose URLs are shown as {@link shown} does. */
export function withoutSecrets(text: string): string {
  return text.replace(/\b[a-z][a-z0-9+.-]*:\/\/[^\s"'<>]+/gi, (url) =>
    url.replace(/[?#].*$/, '').replace(/\/\/[^/]*@/, '//'),
  );
}
