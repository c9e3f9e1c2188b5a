/** What may be secret in URLs, and so is neither printed nor kept: users, passwords, queries and fragments. */

/**
 * A URL without what stands before its host and behind its path.
 *
 * @param {string} url
 */
export function withoutSecrets(url) {
  const text = url.trim();
  if (isUrl(text) && URL.canParse(text)) {
    const { protocol, username, password, host, pathname, search, hash } = new URL(text);
    // Who opens a URL takes any slashes before its host for two.
    return username + password + search + hash === '' ? text : `${protocol}//${host}${pathname}`;
  }
  // A password may have any characters where nobody parses the address.
  return text.replace(/^([a-z][\w+.-]*:\/+)?.*@/is, '$1').replace(/[?#].*$/s, '');
}

/**
 * A text whose URLs have no secrets. Marks behind a URL are the sentence's.
 *
 * @param {string} text
 */
export function withoutSecretsIn(text) {
  return text.replace(/\b(?:https?:|[a-z][\w+.-]+:\/)[^\s"'<>]*[^\s"'<>.:;,)]/gi, withoutSecrets);
}

/**
 * What named weights, as it may be printed and kept.
 *
 * @param {string} text a URL, or a file, whose name may have any characters
 */
export function shownName(text) {
  return isUrl(text) ? withoutSecrets(text) : text;
}

/**
 * Whether weights of that name are read over HTTP.
 *
 * @param {string} text
 */
export function isUrl(text) {
  return /^\s*https?:/i.test(text);
}
