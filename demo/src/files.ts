/** Files that are dropped, pasted or chosen, those in folders too. */

/** Files of a folder beyond which nothing is read: a whole disk may be dropped by mistake. */
const MOST_FILES = 5000;

/** Endings of pictures, for files whose type the system doesn't tell. */
const PICTURE = /\.(jpe?g|png|webp|avif|gif|bmp)$/i;

/** Endings of weight files. */
const WEIGHTS = /\.(pth|pt|bin|safetensors)$/i;

export function isPicture({ type, name }: File): boolean {
  return type.startsWith('image/') || PICTURE.test(name);
}

export function isWeights({ name }: File): boolean {
  return WEIGHTS.test(name);
}

/** All files that were dropped, with those in folders. */
export async function droppedFiles(transfer: DataTransfer): Promise<File[]> {
  // Entries are gone after the first turn of the event loop.
  const entries = Array.from(transfer.items, (item) => item.webkitGetAsEntry?.() ?? null);
  const plain = [...transfer.files];
  if (entries.every((entry) => !entry?.isDirectory)) return plain;
  const files: File[] = [];
  for (const entry of entries) if (entry) await collect(entry, files);
  return files;
}

async function collect(entry: FileSystemEntry, into: File[]): Promise<void> {
  if (into.length >= MOST_FILES) return;
  if (entry.isFile) {
    into.push(await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)));
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A reader gives a folder in parts, an empty one last.
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (part.length === 0) return;
    for (const below of part) await collect(below, into);
  }
}
