/** Asking servers that checks start. */

import { createServer } from 'node:net';

/** A port that nobody listens on. @returns {Promise<number>} */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** What a server answers as JSON, asked until it listens. @param {string} url */
export async function fetchResult(url) {
  for (let attempt = 0; ; attempt++) {
    let response;
    try {
      response = await fetch(url);
    } catch (error) {
      if (attempt === 500) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
      continue;
    }
    if (!response.ok) throw new Error(await response.text());
    return response.json();
  }
}
