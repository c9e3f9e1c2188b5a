/** The network's own tree, with a box to tick for each layer that has an output. */

import { useState } from 'preact/hooks';
import { shape } from '../format.ts';
import type { Shapes, TreeNode } from '../protocol.ts';

export function LayerTree(props: {
  readonly root: TreeNode;
  /** Of the input that runs. */
  readonly shapes: Shapes;
  readonly chosen: readonly string[];
  readonly toggle: (path: string) => void;
  /** Layers that are in sight at first. */
  readonly inSight: readonly string[];
}) {
  return (
    <ul class="tree">
      {props.root.children.map((node) => (
        <Branch key={node.path} node={node} {...props} />
      ))}
    </ul>
  );
}

function Branch(props: {
  readonly node: TreeNode;
  readonly shapes: Shapes;
  readonly chosen: readonly string[];
  readonly toggle: (path: string) => void;
  readonly inSight: readonly string[];
}) {
  const { node, shapes, chosen, toggle, inSight } = props;
  const [isOpen, setIsOpen] = useState(inSight.some((path) => path.startsWith(`${node.path}.`)));
  const below = `below-${node.path}`;
  const hasChildren = node.children.length > 0;
  return (
    <li>
      <div class="branch">
        {hasChildren ? (
          <button
            type="button"
            class="twist"
            aria-expanded={isOpen}
            aria-controls={isOpen ? below : undefined}
            aria-label={`Layers in ${node.path}`}
            onClick={() => setIsOpen(!isOpen)}
          />
        ) : (
          <span class="twist" />
        )}
        <label class={node.shape ? '' : 'unavailable'}>
          <input
            type="checkbox"
            name="layer"
            value={node.path}
            aria-label={`${node.path}, ${node.type}`}
            checked={chosen.includes(node.path)}
            disabled={!node.shape}
            onChange={() => toggle(node.path)}
          />
          <span class="name">{node.name}</span> <span class="type">{node.type}</span>
          {shapes[node.path] && <span class="shape">{shape(shapes[node.path]!)}</span>}
        </label>
      </div>
      {hasChildren && isOpen && (
        <ul id={below}>
          {node.children.map((child) => (
            <Branch key={child.path} {...props} node={child} />
          ))}
        </ul>
      )}
    </li>
  );
}
