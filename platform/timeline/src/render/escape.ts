/**
 * Characters that a terminal acts on instead of showing: C0 and C1 controls, and the marks that reorder or hide text.
 * Payloads come from clients: shown as they are, they could repaint a screen or forge a line.
 */
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff]/g;

/** The text on one line, each unsafe character as `\u{…}`. */
export const escapeText = (text: string): string =>
  text.replace(UNSAFE, (character) => `\\u{${character.charCodeAt(0).toString(16)}}`);

/** Any value as one line of JSON that is safe on a terminal. */
export const inlineJson = (value: unknown): string =>
  value === undefined ? '(none)' : escapeText(JSON.stringify(value));
