/** Goes on at the page's heading when what had the focus is gone, so that the keyboard does not start over. */
export function focusHeadingIfLost(): void {
  requestAnimationFrame(() => {
    const { activeElement, body } = document;
    if (activeElement !== null && activeElement !== body) return;
    document.querySelector<HTMLElement>('main h1')?.focus();
  });
}

/** As a `ref`: takes the focus when it appears in the place of what had it. */
export function focusOnAppearance(element: HTMLElement | null): void {
  element?.focus();
}
