/** Files that are dropped, pasted or chosen, those in folders too. */

/** The most photos that are compared. */
export const MOST_PHOTOS = 5000;

/** Files and folders of a folder beyond which nothing is looked at: a whole disk may be dropped by mistake. */
const MOST_ENTRIES = 100_000;

/** Endings of pictures, for files whose type the system doesn't tell. */
const PICTURE = /\.(jpe?g|png|webp|avif|gif|bmp)$/i;

/** Endings of weight files. */
export const WEIGHTS: readonly string[] = ['.pth', '.pt', '.bin', '.safetensors'];

export function isPicture({ type, name }: File): boolean {
  return type.startsWith('image/') || PICTURE.test(name);
}

export function isWeights({ name }: File): boolean {
  return WEIGHTS.some((end) => name.toLowerCase().endsWith(end));
}

/**
 * The files that were dropped, and those in folders. Where there are folders, pictures and weights come alone; other
 * files come where there are neither.
 */
export async function droppedFiles(transfer: DataTransfer): Promise<File[]> {
  // Entries are gone after the first turn of the event loop.
  const entries = Array.from(transfer.items, (item) => item.webkitGetAsEntry?.() ?? null);
  const plain = [...transfer.files];
  if (entries.every((entry) => !entry?.isDirectory)) return plain;
  const found: Found = { wanted: [], others: [], entries: 0 };
  for (const entry of entries) if (entry) await collect(entry, found);
  return found.wanted.length > 0 ? found.wanted : found.others;
}

/** What was found so far. */
interface Found {
  readonly wanted: File[];
  readonly others: File[];
  entries: number;
}

async function collect(entry: FileSystemEntry, found: Found): Promise<void> {
  // One more photo than are compared, so that it is told.
  if (found.wanted.length > MOST_PHOTOS || ++found.entries > MOST_ENTRIES) return;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    (isPicture(file) || isWeights(file) ? found.wanted : found.others).push(file);
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A reader gives a folder in parts, an empty one last.
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (part.length === 0) return;
    for (const below of part) await collect(below, found);
  }
}
