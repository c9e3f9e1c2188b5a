/** Where files come in: a section that they are dropped on, and a button with the system's own dialog. */

import type { ComponentChildren } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { droppedFiles } from '../files.ts';

/** Is given files, those in folders too. */
type TakeFiles = (files: readonly File[]) => void;

/** A section that takes what is dropped on it. */
export function DropSection(props: {
  readonly class: string;
  /** What it is called: an element's id, or the words themselves. */
  readonly name: { readonly labelledBy: string } | { readonly label: string };
  readonly take: TakeFiles;
  readonly fail: (error: unknown) => void;
  readonly children: ComponentChildren;
}) {
  const { name, take, fail } = props;
  const [isOver, setIsOver] = useState(false);
  return (
    <section
      class={`${props.class} ${isOver ? 'over' : ''}`}
      aria-label={'label' in name ? name.label : undefined}
      aria-labelledby={'labelledBy' in name ? name.labelledBy : undefined}
      onDragOver={(event) => {
        event.preventDefault();
        setIsOver(true);
      }}
      onDragLeave={() => setIsOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setIsOver(false);
        if (event.dataTransfer) droppedFiles(event.dataTransfer).then(take, fail);
      }}
    >
      {props.children}
    </section>
  );
}

/** A button that opens the system's dialog for files. */
export function FileButton(props: {
  readonly id: string;
  /** What the dialog asks for, for a screen reader. */
  readonly label: string;
  /** Types and endings of names; a folder unless given. */
  readonly accept?: string;
  readonly multiple?: boolean;
  readonly isPrimary?: boolean;
  readonly disabled?: boolean;
  readonly take: TakeFiles;
  readonly children: ComponentChildren;
}) {
  const { id, label, accept, multiple = false, isPrimary = false, disabled = false, take } = props;
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button
        type="button"
        class={isPrimary ? 'primary' : undefined}
        disabled={disabled}
        onClick={() => input.current?.click()}
      >
        {props.children}
      </button>
      <input
        ref={input}
        class="visually-hidden"
        type="file"
        id={id}
        aria-label={label}
        tabIndex={-1}
        multiple={multiple}
        {...(accept === undefined ? { webkitdirectory: true } : { accept })}
        onChange={(event) => {
          const chosen = [...(event.currentTarget.files ?? [])];
          // So that the same file can be chosen again.
          event.currentTarget.value = '';
          take(chosen);
        }}
      />
    </>
  );
}
