/** What a file is that isn't one of the wanted format: its first bytes tell. For messages alone. */

/** What each begins with in hexadecimal digits, what that is, and how to get at weights from there. */
const FORMATS: readonly (readonly [begin: RegExp, what: string])[] = [
  [
    /^(?:504b0304|800[2-5])/, // PK, or a pickle's protocol
    "PyTorch's own format (a zip archive or a pickle, as .pth and .pt files are); convert it in Python: " +
      'safetensors.torch.save_file(torch.load("model.pth", map_location="cpu"), "model.safetensors")',
  ],
  [
    /^76657273696f6e20/, // version
    'a git-lfs pointer, which stands for the file; run git lfs pull, or download the file itself',
  ],
  [
    /^(?:efbbbf)?(?:20|09|0a|0d)*3c/, // <
    'an HTML or XML page, as servers answer who ask to sign in or show a file; use the address of the file itself ' +
      '(on Hugging Face /resolve/, not /blob/)',
  ],
  [
    /^(?:efbbbf)?(?:20|09|0a|0d)*[75]b/, // { or [
    'JSON, as an index of files in several shards or the message of a server is; open the files that it names',
  ],
  [/^1f8b/, 'gzip; decompress it first'],
  [/^28b52ffd/, 'zstd; decompress it first'],
  [/^89484446/, 'HDF5, as Keras writes it; convert it in Python'],
  [/^47475546/, 'GGUF, as llama.cpp reads it; convert it in Python'],
];

/** Bytes that tell: one of a page's may come after some white space. */
const FIRST_BYTES = 64;

/** What the first bytes of a file are instead of the wanted format's, and the way out; null where nothing is known to begin so. */
export function otherFormat(first: Uint8Array): string | null {
  const digits = Array.from(first.subarray(0, FIRST_BYTES), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return FORMATS.find(([begin]) => begin.test(digits))?.[1] ?? null;
}
