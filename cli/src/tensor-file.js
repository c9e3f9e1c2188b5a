/**
 * Opens safetensors files tensor by tensor: the header is read and checked first, then only the tensors that are
 * asked for, so a whole model's weights cost no more than the layers that are kept.
 */

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { decodeSafetensorsTensor, LayertapError, parseSafetensorsHeader, safetensorsHeaderBytes } from 'layertap';
import { CommandError, reasonOf } from './failures.js';
import { readAll } from './read-all.js';

/** The most bytes of a file that can't be read in places, such as a pipe. */
const MAX_PIPE_BYTES = 2 ** 31;

/** Bytes of the header's length, before the header. */
const PREFIX_BYTES = 8;

/** So many bytes tell what a file is that isn't safetensors. */
const FIRST_BYTES = 72;

/** A safetensors file with its header read. */
export class TensorFile {
  /** Name, dtype, shape and place of each tensor, in the order of their bytes. */
  tensors;
  /** What the file is called in messages: the option that named it, and its path. */
  label;
  #fd;
  /** @type {import('node:fs').BigIntStats} What the file was when it was opened. */
  #opened;
  /** @type {Uint8Array | null} What isn't a file with places, such as a pipe, is read at once. */
  #whole = null;
  #dataBegin = 0;

  /**
   * @param {string} option what named the file, e.g. `--weights`
   * @param {string} path
   * @throws {CommandError} where it can't be read, or isn't a safetensors file
   */
  constructor(option, path) {
    this.label = `${option} ${path}`;
    this.#fd = this.#attempt(() => openSync(path, 'r'));
    try {
      this.#opened = this.#attempt(() => fstatSync(this.#fd, { bigint: true }));
      if (!this.#opened.isFile()) this.#whole = this.#attempt(() => readAll(this.#fd, MAX_PIPE_BYTES));
      const size = this.#whole?.length ?? Number(this.#opened.size);
      const header = this.#parsed(() => {
        const headerBytes = safetensorsHeaderBytes(this.#read(0, Math.min(FIRST_BYTES, size)), size);
        this.#dataBegin = PREFIX_BYTES + headerBytes;
        return parseSafetensorsHeader(this.#read(PREFIX_BYTES, this.#dataBegin), size - this.#dataBegin);
      });
      this.tensors = header.tensors;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * The tensor of that name, which the file must have.
   *
   * @param {string} name
   * @returns {import('layertap').Tensor}
   * @throws {CommandError} where it can't be read, or has a dtype that layertap lacks
   */
  get(name) {
    const info = /** @type {import('layertap').TensorInfo} */ (this.tensors.get(name));
    const begin = this.#dataBegin;
    return this.#parsed(() => decodeSafetensorsTensor(name, info, this.#read(begin + info.begin, begin + info.end)));
  }

  /**
   * The named tensors, which the file must have, one after the other: what `loadStateDictAsync` reads from.
   *
   * @param {Iterable<string>} names
   * @returns {AsyncGenerator<[name: string, tensor: import('layertap').Tensor]>}
   */
  async *stream(names) {
    for (const name of names) yield [name, this.get(name)];
  }

  /**
   * Fails where the file changed since it was opened: tensors that were read are then a mixture of two files. A file
   * that was replaced by another of its name is no such case, since the one that was opened is still there to be
   * read.
   *
   * @throws {CommandError}
   */
  checkUnchanged() {
    if (this.#whole) return;
    const { size, mtimeNs } = this.#attempt(() => fstatSync(this.#fd, { bigint: true }));
    if (size === this.#opened.size && mtimeNs === this.#opened.mtimeNs) return;
    throw new CommandError(`${this.label}: expected a file that stays as it is while it is read, got one that changed`);
  }

  /** Closes the file; tensors that were read stay valid. */
  close() {
    closeSync(this.#fd);
  }

  /**
   * @param {number} begin
   * @param {number} end
   */
  #read(begin, end) {
    if (this.#whole) return this.#whole.slice(begin, end);
    return this.#attempt(() => {
      const bytes = new Uint8Array(end - begin);
      let at = 0;
      while (at < bytes.length) {
        const count = readSync(this.#fd, bytes, at, Math.min(bytes.length - at, 2 ** 30), begin + at);
        if (count === 0) throw new Error(`its end at byte ${begin + at} of ${end}`);
        at += count;
      }
      return bytes;
    });
  }

  /**
   * @template T
   * @param {() => T} read
   * @returns {T}
   */
  #attempt(read) {
    try {
      return read();
    } catch (error) {
      throw new CommandError(`${this.label}: expected a readable file, got "${reasonOf(error)}"`);
    }
  }

  /**
   * @template T
   * @param {() => T} parse
   * @returns {T}
   */
  #parsed(parse) {
    try {
      return parse();
    } catch (error) {
      throw error instanceof LayertapError ? new CommandError(`${this.label}: ${error.message}`) : error;
    }
  }
}
