/** Goes on at the page's heading when what had the focus is gone, so that the keyboard does not start over. */
export function focusHeadingIfLost(): void {
  requestAnimationFrame(() => {
    const { activeElement, body } = document;
    if (activeElement !== null && activeElement !== body) return;
    document.querySelector<HTMLElement>('main h1')?.focus();
  });
}
