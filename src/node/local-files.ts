/** Weights that Python's libraries have downloaded to this machine: where, and how they are opened. */

import { describe, ValueError } from '../errors.ts';
import { isCommit } from '../formats/commit.ts';
import { withoutSecrets } from '../formats/secrets.ts';
import type { NodeFile } from '../host.ts';
import type { LocalHub } from '../hub/open-hub.ts';
import { withDefaults } from '../options.ts';
import { type Builtins, builtins, expanded } from './builtins.ts';

/** The file, opened; null where none can be read. Another user's cache is no reason not to ask a server. */
async function opened(path: string, { files }: Builtins): Promise<NodeFile | null> {
  const file: NodeFile | null = await files.open(path).catch(() => null);
  if (!file) return null;
  if ((await file.stat()).isFile()) return Object.assign(file, { name: path });
  await file.close();
  return null;
}

/**
 * The repositories that `huggingface_hub` has downloaded, for `fromHub`'s option `local`. Nothing is written. A branch
 * stands for the commit that it had when it was downloaded.
 *
 * @param options `folder`: the cache's; as in Python it is HF_HUB_CACHE, else `hub` in HF_HOME, else
 *   `huggingface/hub` in XDG_CACHE_HOME, which is `~/.cache` unless set
 * @throws {@link UnsupportedError} elsewhere than on Node 20.16 or newer, Deno and Bun
 * @see https://huggingface.co/docs/huggingface_hub/guides/manage-cache
 */
export function huggingFaceCache(options: { readonly folder?: string } = {}): LocalHub {
  const given = withDefaults('huggingFaceCache', options, { folder: undefined });
  const node = builtins('huggingFaceCache');
  const { env, join } = node;
  const home = expanded(env.HF_HOME, node) ?? join(cacheHome(node), 'huggingface');
  const folder = given.folder ?? expanded(env.HF_HUB_CACHE, node) ?? join(home, 'hub');
  return {
    async open(repo, revision, file) {
      const base = join(folder, `models--${repo.replaceAll('/', '--')}`);
      const commit = isCommit(revision) ? revision : await shortText(join(base, 'refs', revision), node);
      if (commit === null || !isCommit(commit)) return null;
      const source = await opened(join(base, 'snapshots', commit, file), node);
      return source && { source, commit, close: () => source.close() };
    },
  };
}

/** The text of a small file; null where there is none. */
async function shortText(path: string, node: Builtins): Promise<string | null> {
  const file = await opened(path, node);
  if (!file) return null;
  try {
    const bytes = new Uint8Array(64);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    return new TextDecoder().decode(bytes.subarray(0, bytesRead)).trim();
  } finally {
    await file.close();
  }
}

/**
 * The file that PyTorch has downloaded from a URL, opened; null where it hasn't. `openWeights` takes it, and it is the
 * caller's to close:
 *
 *     const url = 'https://download.pytorch.org/models/resnet50-11ad3fa6.pth';
 *     const file = await openWeights((await torchCheckpoint(url)) ?? url);
 *
 * PyTorch keeps files by the last part of their URL, in `hub/checkpoints` of TORCH_HOME, which is `torch` in
 * XDG_CACHE_HOME unless set, which is `~/.cache` unless set.
 *
 * @throws {@link UnsupportedError} elsewhere than on Node 20.16 or newer, Deno and Bun
 * @throws {@link ValueError} where it isn't a URL of a file
 * @see torch.hub.load_state_dict_from_url
 */
export async function torchCheckpoint(url: string | URL): Promise<NodeFile | null> {
  const node = builtins('torchCheckpoint');
  const { env, join, basename } = node;
  let name = '';
  try {
    name = basename(new URL(url).pathname);
  } catch {}
  if (!/^[\w][\w.-]*$/.test(name)) {
    throw new ValueError(`torchCheckpoint: expected a file's URL, got ${describe(withoutSecrets(String(url)))}`);
  }
  const home = expanded(env.TORCH_HOME, node) ?? join(cacheHome(node), 'torch');
  return opened(join(home, 'hub', 'checkpoints', name), node);
}

function cacheHome(node: Builtins): string {
  return expanded(node.env.XDG_CACHE_HOME, node) ?? node.join(node.homedir(), '.cache');
}
