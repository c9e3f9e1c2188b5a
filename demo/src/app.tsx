/** The page: one network, and two ways to look through it. */

import { useCallback, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { type Engine, ProblemError } from './engine.ts';
import { LayersTab } from './layers-tab.tsx';
import { About } from './parts/about.tsx';
import { NetworkPanel } from './parts/network-panel.tsx';
import { Tabs } from './parts/tabs.tsx';
import type { Host, Opened, Problem, WeightSource } from './protocol.ts';
import type { Shared } from './shared.ts';
import { SimilarityTab } from './similarity-tab.tsx';

const TABS = [
  { id: 'layers', title: 'Layers' },
  { id: 'similarity', title: 'Similarity' },
] as const;

export function App({ engine }: { readonly engine: Engine }) {
  const [host, setHost] = useState<Host | null>(null);
  const [opened, setOpened] = useState<Opened | null>(null);
  const [tab, setTab] = useState<(typeof TABS)[number]['id']>('layers');
  const [status, setStatus] = useState('Opening the digits network');
  const [problem, setProblem] = useState<Problem | null>(null);
  const opening = useRef<AbortController | null>(null);
  const isAsked = useRef(false);

  const shared: Shared = useMemo<Shared>(
    () => ({
      engine,
      say: setStatus,
      fail(error) {
        if (error instanceof DOMException && error.name === 'AbortError') return;
        const known =
          error instanceof ProblemError ? error.problem : { title: 'Something went wrong.', detail: String(error) };
        setStatus('');
        setProblem(known);
        shared.settled();
      },
      clearProblem: () => setProblem(null),
      settled() {
        if (isAsked.current) return;
        isAsked.current = true;
        engine.ask('host', {}).then(setHost, shared.fail);
      },
    }),
    [engine],
  );

  const open = useCallback(
    async (network: string, source: WeightSource) => {
      opening.current?.abort();
      const controller = new AbortController();
      opening.current = controller;
      shared.clearProblem();
      shared.say(`Opening ${network}`);
      try {
        setOpened(await engine.ask('open', { network, source }, { signal: controller.signal }));
      } catch (error) {
        shared.fail(error);
        return controller.signal.aborted;
      }
      return true;
    },
    [engine, shared],
  );

  // Before the frame is drawn: the worker needn't wait for it.
  useLayoutEffect(() => {
    open('digits', { kind: 'builtin' });
  }, [open]);

  return (
    <>
      <header class="top">
        <h1>
          <img src="./icon.svg" alt="" width="28" height="28" /> layertap
        </h1>
        <p class="lead">See what each layer of a network sees in your own photo.</p>
        <p class="private">
          <strong>Private:</strong> everything runs in this tab. Pictures and weight files never leave this machine.
        </p>
      </header>
      <main>
        <NetworkPanel host={host} opened={opened} open={open} fail={shared.fail} />
        <div class="messages">
          <p class="status" role="status" aria-live="polite">
            {status}
          </p>
          <div role="alert" aria-live="assertive">
            {problem && (
              <div class="problem">
                <p>
                  <strong>{problem.title}</strong>
                </p>
                <p>{problem.detail}</p>
                <button type="button" onClick={shared.clearProblem}>
                  Dismiss
                </button>
              </div>
            )}
          </div>
        </div>
        <Tabs tabs={TABS} selected={tab} select={setTab} />
        <div role="tabpanel" id="panel-layers" aria-labelledby="tab-layers" hidden={tab !== 'layers'}>
          <LayersTab shared={shared} opened={opened} />
        </div>
        <div role="tabpanel" id="panel-similarity" aria-labelledby="tab-similarity" hidden={tab !== 'similarity'}>
          <SimilarityTab shared={shared} opened={opened} />
        </div>
      </main>
      <About host={host} />
    </>
  );
}
