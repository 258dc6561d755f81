import { button, element } from './element.ts';
import type { SpanGroup } from './span.ts';

/** The commands of the toolbar. */
export type Commands = {
  readonly toggleGroup: (group: SpanGroup) => void;
  readonly toggleFolded: () => void;
  readonly zoom: (factor: number) => void;
  readonly showAll: () => void;
  readonly follow: () => void;
  readonly exportRecording: () => void;
  readonly importRecording: (file: File) => void;
  readonly clear: () => void;
};

/** The state that the toolbar shows. */
type ToolbarState = {
  readonly hidden: ReadonlySet<SpanGroup>;
  readonly isFolded: boolean;
  readonly isFollowing: boolean;
  readonly isEmpty: boolean;
};

const groups: readonly (readonly [SpanGroup, string])[] = [
  ['refreshes', 'Refreshes'],
  ['waits', 'Waits'],
  ['requests', 'Requests'],
  ['session', 'Session'],
];

function importButton(commands: Commands): HTMLElement {
  const input = element('input', {
    type: 'file',
    accept: 'application/json,.json',
    hidden: '',
    'aria-label': 'Recording',
  });
  input.addEventListener('change', () => {
    const [file] = Array.from(input.files ?? []);
    if (file) commands.importRecording(file);
    input.value = '';
  });
  return element(
    'span',
    {},
    button('Import', () => input.click()),
    input,
  );
}

/** The toolbar. `update` shows a new state. */
export type Toolbar = { readonly root: HTMLElement; readonly update: (state: ToolbarState) => void };

/** Creates the toolbar. */
export function createToolbar(commands: Commands): Toolbar {
  const chips = groups.map(([group, label]) => {
    const chip = button(label, () => commands.toggleGroup(group), { class: 'chip', 'data-group': group });
    return [group, chip] as const;
  });
  const fold = button('Fold idle time', commands.toggleFolded, { class: 'chip' });
  const follow = button('Follow', commands.follow, { class: 'chip' });
  const exporting = button('Export', commands.exportRecording);
  const clearing = button('Clear', commands.clear);
  const root = element(
    'div',
    { class: 'toolbar' },
    element('div', { class: 'tools', role: 'group', 'aria-label': 'Show' }, ...chips.map(([, chip]) => chip), fold),
    element(
      'div',
      { class: 'tools', role: 'group', 'aria-label': 'View' },
      button('−', () => commands.zoom(2), { 'aria-label': 'Zoom out', class: 'square' }),
      button('+', () => commands.zoom(0.5), { 'aria-label': 'Zoom in', class: 'square' }),
      button('All', commands.showAll, { 'aria-label': 'Show all' }),
      follow,
    ),
    element(
      'div',
      { class: 'tools', role: 'group', 'aria-label': 'Recording' },
      exporting,
      importButton(commands),
      clearing,
    ),
  );
  const press = (chip: HTMLElement, isPressed: boolean): void => chip.setAttribute('aria-pressed', String(isPressed));
  return {
    root,
    update: ({ hidden, isFolded, isFollowing, isEmpty }) => {
      for (const [group, chip] of chips) press(chip, !hidden.has(group));
      press(fold, isFolded);
      press(follow, isFollowing);
      exporting.disabled = isEmpty;
      clearing.disabled = isEmpty;
    },
  };
}
