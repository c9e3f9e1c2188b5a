/** Which network, and where its weights come from. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { WEIGHTS } from '../files.ts';
import { withoutWeights } from '../format.ts';
import type { Inbox } from '../inbox.ts';
import type { Host, NetworkChoice, Opened, WeightSource } from '../protocol.ts';
import { FileButton } from './files.tsx';

/** The network that a weight file's name begins with: `resnet18-f37072fd.pth`, the longest name that fits. */
function networkOfFile(name: string, networks: readonly NetworkChoice[]): string | null {
  const fits = networks.filter(({ id }) => name.toLowerCase().startsWith(id));
  return fits.sort((a, b) => b.id.length - a.id.length)[0]?.id ?? null;
}

export function NetworkPanel(props: {
  readonly host: Host | null;
  readonly opened: Opened | null;
  /** Whether the network is open, or another one is asked for since. */
  readonly open: (network: string, source: WeightSource) => Promise<boolean>;
  readonly inbox: Inbox;
}) {
  const { host, opened, open, inbox } = props;
  const [network, setNetwork] = useState('digits');
  const [repo, setRepo] = useState('');
  const [waiting, setWaiting] = useState<File | null>(null);
  const latest = useRef(opened);
  latest.current = opened;
  const networks = host?.networks ?? [];
  const choice = networks.find(({ id }) => id === network);
  const groups = [...new Set(networks.map(({ group }) => group))];

  const choose = (id: string) => {
    setNetwork(id);
    const isBuiltin = networks.find((other) => other.id === id)?.builtin;
    setRepo(networks.find((other) => other.id === id)?.repos[0] ?? '');
    tried(id, { kind: isBuiltin ? 'builtin' : 'none' });
  };
  const openFile = (file: File | undefined) => {
    if (!file) return;
    // Names of networks aren't there yet.
    if (!host) return setWaiting(file);
    const id = networkOfFile(file.name, networks) ?? network;
    setNetwork(id);
    tried(id, { kind: 'file', file });
  };
  // What can't be opened leaves the network that was.
  const tried = async (id: string, source: WeightSource) => {
    const isOpen = await open(id, source);
    if (!isOpen && latest.current) setNetwork(latest.current.id);
  };

  useEffect(() => {
    if (!host || !waiting) return;
    setWaiting(null);
    openFile(waiting);
  }, [host, waiting]);

  // A repository may be another network's than the one that was chosen.
  useEffect(() => {
    if (opened && networks.some(({ id }) => id === opened.id)) setNetwork(opened.id);
  }, [opened]);

  useEffect(() => inbox.on('weights', ([file]) => openFile(file)));

  return (
    <section class="network card" aria-label="Network and weights">
      <div class="field">
        <label for="network">Network</label>
        <select id="network" value={network} disabled={!host} onChange={(event) => choose(event.currentTarget.value)}>
          {!host && <option value="digits">digits</option>}
          {groups.map((group) => (
            <optgroup key={group} label={group}>
              {networks
                .filter((other) => other.group === group)
                .map(({ id }) => (
                  <option key={id} value={id}>
                    {id}
                  </option>
                ))}
            </optgroup>
          ))}
        </select>
      </div>
      <div class="field">
        <span class="label" id="weights-label">
          Weights
        </span>
        <fieldset class="row" aria-labelledby="weights-label">
          <FileButton
            id="weights-file"
            label="Weight file, .pth or .safetensors"
            accept={WEIGHTS.join(',')}
            disabled={!host}
            take={([file]) => openFile(file)}
          >
            Open a file…
          </FileButton>
        </fieldset>
      </div>
      <form
        class="field"
        onSubmit={(event) => {
          event.preventDefault();
          if (repo.trim()) tried(network, { kind: 'hub', repo: repo.trim() });
        }}
      >
        <label for="repo">Or by name, from the Hugging Face hub</label>
        <div class="row">
          <input
            id="repo"
            list="repos"
            value={repo}
            placeholder="timm/resnet18.tv_in1k"
            autocomplete="off"
            spellcheck={false}
            onInput={(event) => setRepo(event.currentTarget.value)}
          />
          <datalist id="repos">
            {(choice?.repos.length ? choice.repos : networks.flatMap(({ repos }) => repos)).map((name) => (
              <option key={name} value={name} />
            ))}
          </datalist>
          <button type="submit" disabled={!host || !repo.trim()}>
            Fetch
          </button>
        </div>
      </form>
      <p class="hint" id="weights-hint">
        {waiting
          ? `${waiting.name} is opened once the networks’ names are there.`
          : opened?.hasWeights
            ? `${opened.id}: ${(opened.parameters / 1e6).toFixed(1)} million parameters, ${opened.weightsName}.`
            : opened
              ? `${withoutWeights(opened.id)} Open or drop a .pth or .safetensors file with torchvision’s names.`
              : ''}
      </p>
    </section>
  );
}
