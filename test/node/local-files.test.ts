/** Weights that Python's libraries have downloaded: found where these keep them, and never written. */

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ValueError } from '../../src/errors.ts';
import { loadWeights, openWeights } from '../../src/formats/open-weights.ts';
import { saveSafetensors } from '../../src/formats/safetensors-write.ts';
import { fromHub } from '../../src/hub/index.ts';
import { resnet18 } from '../../src/models/resnet.ts';
import { huggingFaceCache, torchCheckpoint } from '../../src/node/index.ts';
import { Tensor } from '../../src/tensor/tensor.ts';
import { COMMIT, serveHub } from '../support/hub-server.ts';
import { timmConfig, timmFile } from '../support/timm.ts';

const REPO = 'timm/resnet18.tag';
const weights = timmFile(resnet18(), null, new Map());
/** Nothing answers there. */
const options = { endpoint: 'http://127.0.0.1:9', retries: 0, returnLayers: { layer1: 'c2' } } as const;

let home = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'layertap-'));
  for (const name of ['HF_HOME', 'HF_HUB_CACHE', 'TORCH_HOME', 'XDG_CACHE_HOME']) vi.stubEnv(name, '');
  vi.stubEnv('HOME', home);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true, force: true });
});

const write = (path: string, data: string | Uint8Array) => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, data);
};

/** A repository as huggingface_hub keeps it: files are links to blobs. */
function keep(hub: string, files: Readonly<Record<string, string | Uint8Array>>): void {
  const base = join(hub, 'models--timm--resnet18.tag');
  write(join(base, 'refs', 'main'), COMMIT);
  mkdirSync(join(base, 'snapshots', COMMIT), { recursive: true });
  for (const [name, data] of Object.entries(files)) {
    write(join(base, 'blobs', `of-${name}`), data);
    symlinkSync(join('..', '..', 'blobs', `of-${name}`), join(base, 'snapshots', COMMIT, name));
  }
}

const config = JSON.stringify(timmConfig('resnet18'));

describe('huggingFaceCache', () => {
  it.each([
    ['~/.cache', () => join(home, '.cache/huggingface/hub')],
    ['XDG_CACHE_HOME', () => join(home, 'x/huggingface/hub')],
    ['HF_HOME', () => join(home, 'hf/hub')],
    ['HF_HUB_CACHE', () => join(home, 'hub')],
  ])('finds repositories in %s, without a network', async (variable, hub) => {
    const values = { XDG_CACHE_HOME: join(home, 'x'), HF_HOME: '~/hf', HF_HUB_CACHE: join(home, 'hub') };
    if (variable in values) vi.stubEnv(variable, values[variable as keyof typeof values]);
    keep(hub(), { 'config.json': config, 'model.safetensors': weights });
    const { getter, revision } = await fromHub(REPO, { ...options, local: huggingFaceCache() });
    expect([...getter.keys()]).toContain('layer1');
    expect(revision).toBe(COMMIT);
  });

  it('leaves to the network what is not there, of the same commit', async () => {
    const folder = join(home, 'hub');
    keep(folder, { 'config.json': config });
    const server = await serveHub({ repos: { [REPO]: { 'model.safetensors': weights } } });
    const local = huggingFaceCache({ folder });
    await fromHub(REPO, { ...options, endpoint: server.endpoint, local });
    await server.close();
    const hub = server.requests.filter(({ isElsewhere }) => !isElsewhere);
    expect(new Set(hub.map(({ path }) => path))).toEqual(new Set([`/${REPO}/resolve/${COMMIT}/model.safetensors`]));
  });

  it('has nothing where a reference is no commit, or a file is a folder', async () => {
    const folder = join(home, 'hub');
    keep(folder, {});
    const base = join(folder, 'models--timm--resnet18.tag');
    mkdirSync(join(base, 'snapshots', COMMIT, 'config.json'));
    write(join(base, 'refs', 'odd'), '../../../etc');
    const local = huggingFaceCache({ folder });
    expect(await local.open(REPO, 'main', 'config.json')).toBeNull();
    expect(await local.open(REPO, 'odd', 'config.json')).toBeNull();
    expect(await local.open('timm/other', 'main', 'config.json')).toBeNull();
  });
});

describe('torchCheckpoint', () => {
  const url = 'https://download.pytorch.org/models/resnet18-f37072fd.pth';
  const bytes = saveSafetensors([['a', new Tensor(Float32Array.of(1, 2), [2])]]);

  it.each([
    ['~/.cache', () => join(home, '.cache/torch')],
    ['XDG_CACHE_HOME', () => join(home, 'x/torch')],
    ['TORCH_HOME', () => join(home, 't')],
  ])('opens what torch.hub keeps in %s', async (variable, torch) => {
    const values = { XDG_CACHE_HOME: join(home, 'x'), TORCH_HOME: '~/t' };
    if (variable in values) vi.stubEnv(variable, values[variable as keyof typeof values]);
    write(join(torch(), 'hub/checkpoints/resnet18-f37072fd.pth'), bytes);
    const file = await torchCheckpoint(url);
    expect(await (await openWeights(file!)).load()).toEqual(await loadWeights(bytes));
    await file!.close();
  });

  it('is null where there is none', async () => {
    expect(await torchCheckpoint(url)).toBeNull();
  });

  it('is null where there is none that can be read', async () => {
    const path = join(home, '.cache/torch/hub/checkpoints/resnet18-f37072fd.pth');
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(path, path);
    expect(await torchCheckpoint(url)).toBeNull();
  });

  it.each(['https://me:hunter2@host/?token=x', 'https://host/a/..%2f..'])('refuses %s', async (wrong) => {
    const error = await torchCheckpoint(wrong).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ValueError);
    expect((error as Error).message).toBe(
      `torchCheckpoint: expected a file's URL, got "${wrong.replace('me:hunter2@', '').replace('?token=x', '')}"`,
    );
  });
});
