/** The page: one network, and two ways to look through it. */

import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { type Engine, ProblemError } from './engine.ts';
import { droppedFiles } from './files.ts';
import { withoutWeights } from './format.ts';
import { Inbox } from './inbox.ts';
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
  const [status, setStatus] = useState('');
  /** The network or weights that are being opened; what else goes on is said once they are there. */
  const [openingName, setOpeningName] = useState('the digits network');
  const [problem, setProblem] = useState<Problem | null>(null);
  const opening = useRef<AbortController | null>(null);
  const statusLine = useRef<HTMLParagraphElement>(null);
  const isAsked = useRef(false);
  const [isOver, setIsOver] = useState(false);

  const shared: Shared = useMemo<Shared>(
    () => ({
      engine,
      inbox: new Inbox(),
      doing: { current: '' },
      say: setStatus,
      fail(error) {
        if (error instanceof DOMException && error.name === 'AbortError') return;
        const known =
          error instanceof ProblemError ? error.problem : { title: 'Something went wrong.', detail: String(error) };
        setStatus(shared.doing.current);
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
      setOpeningName(source.kind === 'hub' ? source.repo : source.kind === 'file' ? source.file.name : network);
      try {
        const next = await engine.ask('open', { network, source }, { signal: controller.signal });
        setOpened(next);
        if (!next.hasWeights) shared.say(withoutWeights(network));
      } catch (error) {
        shared.fail(error);
        return controller.signal.aborted;
      } finally {
        if (opening.current === controller) setOpeningName('');
      }
      return true;
    },
    [engine, shared],
  );

  // Before the frame is drawn: the worker needn't wait for it.
  useLayoutEffect(() => {
    open('digits', { kind: 'builtin' });
  }, [open]);

  // Files may be dropped anywhere, and pasted: elsewhere the browser would open them in the page's place.
  useEffect(() => {
    const hasFiles = ({ dataTransfer }: DragEvent) => dataTransfer?.types.includes('Files') === true;
    const onDragOver = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setIsOver(true);
    };
    const onDragLeave = ({ relatedTarget }: DragEvent) => {
      if (relatedTarget === null) setIsOver(false);
    };
    const onDrop = (event: DragEvent) => {
      setIsOver(false);
      if (!hasFiles(event)) return;
      event.preventDefault();
      const isOnNetwork = event.target instanceof Element && event.target.closest('.network') !== null;
      const give = (files: File[]) => shared.inbox.give(files, tab, isOnNetwork ? 'weights' : tab);
      droppedFiles(event.dataTransfer!).then(give).catch(shared.fail);
    };
    const onPaste = ({ clipboardData }: ClipboardEvent) => {
      if (clipboardData && clipboardData.files.length > 0) shared.inbox.give([...clipboardData.files], tab);
    };
    window.addEventListener('dragover', onDragOver);
    window.addEventListener('dragleave', onDragLeave);
    window.addEventListener('drop', onDrop);
    document.addEventListener('paste', onPaste);
    return () => {
      window.removeEventListener('dragover', onDragOver);
      window.removeEventListener('dragleave', onDragLeave);
      window.removeEventListener('drop', onDrop);
      document.removeEventListener('paste', onPaste);
    };
  }, [shared, tab]);

  return (
    <>
      <main class={isOver ? 'over' : ''}>
        <NetworkPanel host={host} opened={opened} open={open} inbox={shared.inbox} />
        <div class="messages">
          <p class="status" role="status" aria-live="polite" ref={statusLine} tabIndex={-1}>
            {openingName ? `Opening ${openingName}` : status}
          </p>
          <div role="alert" aria-live="assertive">
            {problem && (
              <div class="problem">
                <p>
                  <strong>{problem.title}</strong>
                </p>
                <p>{problem.detail}</p>
                <button
                  type="button"
                  onClick={() => {
                    // The button goes, and whoever uses the keyboard stays here.
                    statusLine.current?.focus();
                    shared.clearProblem();
                  }}
                >
                  Dismiss
                </button>
              </div>
            )}
          </div>
        </div>
        <Tabs tabs={TABS} selected={tab} select={setTab} />
        <div role="tabpanel" id="panel-layers" aria-labelledby="tab-layers" hidden={tab !== 'layers'}>
          <LayersTab shared={shared} opened={opened} isShown={tab === 'layers'} />
        </div>
        <div role="tabpanel" id="panel-similarity" aria-labelledby="tab-similarity" hidden={tab !== 'similarity'}>
          <SimilarityTab shared={shared} opened={opened} />
        </div>
      </main>
      <About host={host} />
    </>
  );
}
