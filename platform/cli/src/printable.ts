const escaped = (character: string): string => {
  const code = character.codePointAt(0) ?? 0;
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`;
};

/**
 * One line that a terminal shows as it is, whoever wrote it: control characters (of which escape sequences and line ends
 * are made) and those that turn the direction of the text become `\x1b`, `\u202e`.
 */
export const printableLine = (text: string): string =>
  text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, escaped);

/** As `printableLine`, of several lines. `indent` tells those that follow from lines of somebody else. */
export const printable = (text: string, indent = ''): string =>
  text.split('\n').map(printableLine).join(`\n${indent}`);
