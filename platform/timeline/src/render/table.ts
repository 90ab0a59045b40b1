import { escapeText } from './escape.ts';

/** Rows under their heads as columns, two spaces apart; every cell escaped, no trailing blanks. */
export function table(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  options: { /** Columns of numbers. */ readonly right?: readonly number[] } = {},
): string {
  const lines = [heads, ...rows].map((row) => row.map(escapeText));
  const widths = heads.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const padded = (cell: string, column: number): string =>
    options.right?.includes(column) === true
      ? cell.padStart(widths[column] ?? 0)
      : cell.padEnd(widths[column] ?? 0);
  return lines.map((line) => line.map(padded).join('  ').trimEnd()).join('\n');
}

/** Names and values, one pair a line; pairs without a value are left out. */
export function fields(pairs: readonly (readonly [string, string | undefined])[]): string {
  const shown = pairs.filter((pair): pair is readonly [string, string] => pair[1] !== undefined);
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${escapeText(value)}`).join('\n');
}

/** 1234567 as 1,234,567. */
export const grouped = (value: number): string => Math.round(value).toLocaleString('en-US');
