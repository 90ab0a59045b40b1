import { printableLine } from '@parley/cli';

/** Rows as left-aligned columns, two spaces apart, without trailing blanks. The last column is never padded. Cells are made printable. */
export const formatTable = (cells: readonly (readonly string[])[]): string => {
  const rows = cells.map((row) => row.map(printableLine));
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, column) => (widths[column] = Math.max(widths[column] ?? 0, cell.length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
};

/** Bytes for people: whole MB below 1 GB, else GB with one decimal (powers of 1024). */
export const formatBytes = (bytes: number): string => {
  const megabytes = bytes / 1024 ** 2;
  return megabytes < 1024 ? `${megabytes.toFixed(0)} MB` : `${(megabytes / 1024).toFixed(1)} GB`;
};
