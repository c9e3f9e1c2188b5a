/** What this browser has, and what would be faster. */

import { bytes } from '../format.ts';
import type { Host } from '../protocol.ts';

export function About({ host }: { readonly host: Host | null }) {
  return (
    <footer class="about">
      <h2>This browser</h2>
      {host && (
        <ul>
          <li>
            {host.isRelaxed
              ? 'Relaxed SIMD: yes.'
              : 'Relaxed SIMD: no, so plain SIMD is used. A browser with relaxed SIMD, ' +
                'such as Chrome, Edge or Firefox, would be faster.'}
          </li>
          <li>
            {host.isIsolated
              ? `Threads: ${host.threads}.`
              : 'Threads: one. With the headers Cross-Origin-Opener-Policy and Cross-Origin-Embedder-Policy ' +
                'this page would use more, and be faster.'}
          </li>
          <li>
            Memory: up to {bytes(host.budgetBytes)} for a network. What needs more is refused before anything is
            computed.
          </li>
        </ul>
      )}
      <p>
        The page’s own policy allows connections to this server and, where you ask for weights by name, to
        huggingface.co. Nothing is sent there but the request. Made with{' '}
        <a href="https://github.com/layertap/layertap">layertap</a>, PyTorch’s networks in TypeScript and WebAssembly.
      </p>
    </footer>
  );
}
