/** Where files come in: a button with the system's own dialog. */

import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';

/** Is given files, those in folders too. */
type TakeFiles = (files: readonly File[]) => void;

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
