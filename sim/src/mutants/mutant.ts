/** A change to one source file. `find` must occur exactly once in it. `file` is relative to the repository. */
export type Patch = { readonly file: string; readonly find: string; readonly replace: string };

/** A deliberate bug, as changes to the sources. It exists only here: production code has no switch for it. */
export type Mutant = { readonly name: string; readonly what: string; readonly patches: readonly Patch[] };
