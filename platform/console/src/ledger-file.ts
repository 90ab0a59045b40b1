import { readFile, stat } from 'node:fs/promises';
import { LedgerFile, type LedgerState } from './api.ts';

const BYTES_MAX = 16 * 1024 * 1024;

/** The last run's ledger; `none` while there is no file, or one that is no ledger. */
export const readLedger = async (path: string): Promise<LedgerState> => {
  try {
    const { size, mtimeMs } = await stat(path);
    if (size > BYTES_MAX) return { kind: 'none' };
    const ledger = LedgerFile.parse(JSON.parse(await readFile(path, 'utf8')));
    const writtenAtMs = ledger.generatedAt === undefined ? mtimeMs : Date.parse(ledger.generatedAt); // a copy is newer
    return { kind: 'ledger', writtenAtMs, ledger };
  } catch {
    return { kind: 'none' }; // the page says how to make one
  }
};
