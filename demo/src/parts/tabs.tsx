/** Tabs as screen readers and keyboards know them: arrows move between them, Tab leaves them. */

interface Tab<Id extends string> {
  readonly id: Id;
  readonly title: string;
}

export function Tabs<Id extends string>(props: {
  readonly tabs: readonly Tab<Id>[];
  readonly selected: Id;
  readonly select: (id: Id) => void;
}) {
  const { tabs, selected, select } = props;
  const onKeyDown = (event: KeyboardEvent) => {
    const at = tabs.findIndex(({ id }) => id === selected);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const { id } = tabs[(to + tabs.length) % tabs.length]!;
    select(id);
    document.getElementById(`tab-${id}`)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label="Views">
      {tabs.map(({ id, title }) => (
        <button
          key={id}
          type="button"
          role="tab"
          id={`tab-${id}`}
          aria-controls={`panel-${id}`}
          aria-selected={id === selected}
          tabIndex={id === selected ? 0 : -1}
          onClick={() => select(id)}
          onKeyDown={onKeyDown}
        >
          {title}
        </button>
      ))}
    </div>
  );
}
