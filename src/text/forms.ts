type Forms = typeof import('./normal-forms.js');
let loaded: Forms | undefined;

/** Loads the tables of normal forms, a chunk of their own: before a tokenizer is used that asks for them. */
export async function loadForms(): Promise<void> {
  loaded ??= await import('./normal-forms.js');
}

/** What loadForms has loaded. */
export function forms(): Forms {
  if (!loaded) throw new Error('loadForms has not been awaited');
  return loaded;
}
