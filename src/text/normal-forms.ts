/** placeholder */
export const normalize = (text: string, form: string): string => text.normalize(form);
