/** Answers that aren't a result: a status, and why, as JSON. */

/** What is wrong with a request, or with this service at the moment. */
export class HttpError extends Error {
  /**
   * @param {number} status
   * @param {string} code stable, for programs
   * @param {string} message
   * @param {Record<string, string>} headers
   */
  constructor(status, code, message, headers = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** The answer for an error; what isn't an HttpError is a bug here, and is not described to strangers. */
export function answerOf(error) {
  const known = error instanceof HttpError;
  const { status, code, message, headers } = known
    ? error
    : { status: 500, code: 'ERR_INTERNAL', message: 'an error of the service', headers: {} };
  if (!known) console.error(error);
  return Response.json({ error: { code, message } }, { status, headers });
}
