/** The package's entries, as package.json has them. */

import { fileURLToPath } from 'node:url';

/**
 * The source of each entry that has types, by the name that users import it by.
 *
 * @param {{ name: string, exports: Record<string, string | { types?: string }> }} manifest
 * @returns {Map<string, string>}
 */
export function entriesOf({ name, exports }) {
  const typed = Object.entries(exports).flatMap(([path, target]) => {
    const types = typeof target === 'object' ? target.types : undefined;
    if (!types) return [];
    const source = types.replace('./dist/', '../../src/').replace('.d.ts', '.ts');
    return [/** @type {const} */ ([name + path.slice(1), fileURLToPath(new URL(source, import.meta.url))])];
  });
  return new Map(typed);
}
