/** Servers' addresses, as options and variables name them. */

import { CommandError, UsageError } from './failures.js';
import { withoutSecrets } from './secrets.js';

/**
 * Fails what is no address of a server.
 *
 * @param {string} name the option or the variable that it was given as
 * @param {string} text
 * @throws {UsageError} of an option
 * @throws {CommandError} of a variable
 */
export function checkServer(name, text) {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return;
  const shown = withoutSecrets(text);
  const host = shown.replace(/^[a-z][\w+.-]*:\/\//i, '').replace(/^\/+/, '');
  const scheme = /^(?:localhost|127\.|\[::1\])/.test(host) ? 'http' : 'https';
  const like = host !== '' && URL.canParse(`${scheme}://${host}`) ? `${scheme}://${host}` : 'https://huggingface.co';
  throw failureOf(name, `expected ${name} as an http:// or https:// URL, such as ${like}, got ${shown || 'none'}`);
}

/**
 * As {@link checkServer}, of a server whose token is given by other means.
 *
 * @param {string} name
 * @param {string} text
 * @throws {UsageError}
 * @throws {CommandError}
 */
export function checkPublicServer(name, text) {
  checkServer(name, text);
  const { username, password, search } = new URL(text);
  if (username === '' && password === '' && search === '') return;
  const got = `got ${withoutSecrets(text)} with one of them; HF_TOKEN is the token`;
  throw failureOf(name, `expected ${name} without user, password and query, ${got}`);
}

/**
 * @param {string} name
 * @param {string} message
 */
function failureOf(name, message) {
  return name.startsWith('-') ? new UsageError(message) : new CommandError(message);
}
