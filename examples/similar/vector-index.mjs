/**
 * Pictures and their vectors in one SQLite file. sqlite-vec compares a query with all vectors, so the neighbours are
 * the exact ones. The file keeps the fingerprint of what made the vectors, and is refused by any other.
 */

import { DatabaseSync } from '@photostructure/sqlite';
import * as sqliteVec from 'sqlite-vec';

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS fingerprint (key TEXT PRIMARY KEY, value TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS pictures (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL);
`;

/** The most that SQLite takes: a query reads all vectors, so by large pages there is less to ask the file for. */
const PAGE_BYTES = 2 ** 16;

/**
 * @typedef {object} Picture
 * @property {string} path
 * @property {string} sha256 of its file
 * @property {Float32Array} vector of length 1
 */

/**
 * @typedef {object} Neighbour
 * @property {string} path
 * @property {number} similarity the cosine, from -1 to 1
 */

/** An index in a file. Its API is Node's `node:sqlite`, which Node 22.13 and newer have without a package. */
export class VectorIndex {
  #db;

  /**
   * Opens an index, or begins one.
   *
   * @param {string} file `:memory:` for one that isn't kept
   * @param {{ fingerprint: Record<string, string>, size: number }} vectors what makes them, and how long they are
   * @throws where the file holds vectors of something else
   */
  constructor(file, { fingerprint, size }) {
    this.#db = new DatabaseSync(file, { allowExtension: true });
    try {
      this.#db.enableLoadExtension(true);
      sqliteVec.load(this.#db);
      this.#db.enableLoadExtension(false);
      // Of a file that is there already, pages stay as they are.
      this.#db.exec(`PRAGMA page_size = ${PAGE_BYTES}`);
      this.#db.exec(SCHEMA);
      this.#check(file, { ...fingerprint, size: String(size) });
      this.#db.exec(`CREATE VIRTUAL TABLE IF NOT EXISTS vectors USING vec0(id INTEGER PRIMARY KEY, v FLOAT[${size}])`);
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  /** @param {string} file @param {Record<string, string>} expected */
  #check(file, expected) {
    const rows = /** @type {{ key: string, value: string }[]} */ (
      this.#db.prepare('SELECT key, value FROM fingerprint').all()
    );
    if (rows.length === 0) {
      const insert = this.#db.prepare('INSERT INTO fingerprint (key, value) VALUES (?, ?)');
      this.#inOne(() => {
        for (const [key, value] of Object.entries(expected)) insert.run(key, value);
      });
      return;
    }
    const stored = Object.fromEntries(rows.map(({ key, value }) => [key, value]));
    const differing = Object.keys({ ...expected, ...stored }).filter((key) => expected[key] !== stored[key]);
    if (differing.length === 0) return;
    const list = (/** @type {Record<string, string>} */ of) => differing.map((key) => `${key} ${of[key]}`).join(', ');
    throw new Error(
      `index: expected vectors of ${list(expected)}, got ${file} of ${list(stored)}; --index names another file`,
    );
  }

  /** Whether a picture of this path and content is there. @param {string} path @param {string} sha256 */
  has(path, sha256) {
    return this.#db.prepare('SELECT 1 FROM pictures WHERE path = ? AND sha256 = ?').get(path, sha256) !== undefined;
  }

  /** Adds pictures, each in the place of an earlier one of its path. @param {readonly Picture[]} pictures */
  add(pictures) {
    this.#inOne(() => {
      const addPicture = this.#db.prepare('INSERT INTO pictures (path, sha256) VALUES (?, ?)');
      const addVector = this.#db.prepare('INSERT INTO vectors (id, v) VALUES (?, ?)');
      for (const { path, sha256, vector } of pictures) {
        this.#remove(path);
        const { lastInsertRowid } = addPicture.run(path, sha256);
        // sqlite-vec takes integers alone as ids, and a number would be a float.
        addVector.run(BigInt(lastInsertRowid), bytesOf(vector));
      }
    });
  }

  /** Removes pictures. @param {readonly string[]} paths */
  remove(paths) {
    this.#inOne(() => {
      for (const path of paths) this.#remove(path);
    });
  }

  /** All paths, by name. @returns {string[]} */
  paths() {
    return this.#db
      .prepare('SELECT path FROM pictures ORDER BY path')
      .all()
      .map(({ path }) => String(path));
  }

  /**
   * The nearest pictures, the nearest first.
   *
   * @param {Float32Array} vector of length 1
   * @param {number} count
   * @returns {Neighbour[]}
   */
  nearest(vector, count) {
    // Of vectors of length 1, the squared distance is 2 - 2 · cosine: both give the same order.
    const sql = `
      SELECT path, distance FROM (SELECT id, distance FROM vectors WHERE v MATCH ? AND k = ?)
      JOIN pictures USING (id) ORDER BY distance`;
    return this.#db
      .prepare(sql)
      .all(bytesOf(vector), BigInt(count))
      .map(({ path, distance }) => ({ path: String(path), similarity: 1 - Number(distance) ** 2 / 2 }));
  }

  close() {
    this.#db.close();
  }

  /** @param {string} path */
  #remove(path) {
    const found = this.#db.prepare('SELECT id FROM pictures WHERE path = ?').get(path);
    if (!found) return;
    this.#db.prepare('DELETE FROM vectors WHERE id = ?').run(BigInt(Number(found.id)));
    this.#db.prepare('DELETE FROM pictures WHERE path = ?').run(path);
  }

  /** All of it, or nothing. @param {() => void} change */
  #inOne(change) {
    this.#db.exec('BEGIN');
    try {
      change();
      this.#db.exec('COMMIT');
    } catch (error) {
      this.#db.exec('ROLLBACK');
      throw error;
    }
  }
}

/** @param {Float32Array} vector */
const bytesOf = ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength);
