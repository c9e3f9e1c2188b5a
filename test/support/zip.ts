/** Writes zip files as strangers may: each field of an entry can be chosen. */

import { crc32 } from 'node:zlib';

/** An entry; what isn't given is what it should be. */
export interface Entry {
  readonly name: string;
  readonly content: Uint8Array;
  /** The name in the entry's own header. */
  readonly localName?: string;
  /** 0: stored; 8: deflated. */
  readonly method?: number;
  /** What stands in the file for the content. */
  readonly packed?: Uint8Array;
  readonly crc?: number;
  readonly bytes?: number;
  readonly packedBytes?: number;
  /** Whether sizes come behind the content, and the entry's own header has none. */
  readonly hasDescriptor?: boolean;
  /** Whether sizes and places are in fields of 64 bits. */
  readonly isZip64?: boolean;
}

/** A zip file. */
export function zipOf(entries: readonly Entry[]): Uint8Array {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const entry of entries) {
    const { name, content, localName = name, method = 0, packed = content, hasDescriptor = false, isZip64 } = entry;
    const { crc = crc32(content), bytes = content.length, packedBytes = packed.length } = entry;
    const sizes = Buffer.alloc(12);
    sizes.writeUInt32LE(crc, 0);
    sizes.writeUInt32LE(isZip64 ? 0xffffffff : packedBytes, 4);
    sizes.writeUInt32LE(isZip64 ? 0xffffffff : bytes, 8);
    const own = Buffer.from(localName);
    const head = Buffer.alloc(30);
    head.writeUInt32LE(0x04034b50, 0);
    head.writeUInt16LE(hasDescriptor ? 8 : 0, 6);
    head.writeUInt16LE(method, 8);
    if (!hasDescriptor) sizes.copy(head, 14);
    head.writeUInt16LE(own.length, 26);
    const descriptor = Buffer.alloc(hasDescriptor ? 16 : 0);
    if (hasDescriptor) {
      descriptor.writeUInt32LE(0x08074b50, 0);
      sizes.copy(descriptor, 4);
    }
    parts.push(head, own, Buffer.from(packed), descriptor);

    const listed = Buffer.from(name);
    const extra = Buffer.alloc(isZip64 ? 28 : 0);
    if (isZip64) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(24, 2);
      [bytes, packedBytes, at].forEach((value, i) => void extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i));
    }
    const line = Buffer.alloc(46);
    line.writeUInt32LE(0x02014b50, 0);
    line.writeUInt16LE(method, 10);
    sizes.copy(line, 16);
    line.writeUInt16LE(listed.length, 28);
    line.writeUInt16LE(extra.length, 30);
    line.writeUInt32LE(isZip64 ? 0xffffffff : at, 42);
    directory.push(line, listed, extra);
    at += head.length + own.length + packed.length + descriptor.length;
  }
  const listing = Buffer.concat(directory);
  const end64 = Buffer.alloc(entries.some(({ isZip64 }) => isZip64) ? 76 : 0);
  if (end64.length > 0) {
    end64.writeUInt32LE(0x06064b50, 0);
    end64.writeBigUInt64LE(BigInt(entries.length), 32);
    end64.writeBigUInt64LE(BigInt(listing.length), 40);
    end64.writeBigUInt64LE(BigInt(at), 48);
    end64.writeUInt32LE(0x07064b50, 56);
    end64.writeBigUInt64LE(BigInt(at + listing.length), 64);
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(entries.length, 0xffff), 10);
  end.writeUInt32LE(listing.length, 12);
  end.writeUInt32LE(at, 16);
  return new Uint8Array(Buffer.concat([...parts, listing, end64, end]));
}

/** The entries of a zip file that is as it should be, none of them packed. */
export function zipParts(bytes: Uint8Array): (Entry & { readonly crc: number })[] {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = file.lastIndexOf(Buffer.from('PK\x05\x06'));
  const parts: (Entry & { readonly crc: number })[] = [];
  let at = file.readUInt32LE(end + 16);
  for (let i = file.readUInt16LE(end + 10); i > 0; i--) {
    const [nameBytes, extraBytes] = [file.readUInt16LE(at + 28), file.readUInt16LE(at + 30)] as const;
    const begin = file.readUInt32LE(at + 42);
    const content = begin + 30 + file.readUInt16LE(begin + 26) + file.readUInt16LE(begin + 28);
    parts.push({
      name: file.toString('utf8', at + 46, at + 46 + nameBytes),
      content: new Uint8Array(file.subarray(content, content + file.readUInt32LE(at + 24))),
      crc: file.readUInt32LE(at + 16),
    });
    at += 46 + nameBytes + extraBytes + file.readUInt16LE(at + 32);
  }
  return parts;
}
