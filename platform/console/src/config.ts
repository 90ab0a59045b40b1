import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const Environment = z.object({
  CONSOLE_PORT: z.coerce.number().int().min(0).max(65_535),
  PARLEY_RUN_DIR: z.string().startsWith('/', 'must be an absolute path'),
  /** File that the launcher writes. */
  CONSOLE_CONFIG: z.string().optional(),
});

const ConfigFile = z.object({ engineVersions: z.record(z.string(), z.string()) });

/** What the console is started with. */
export interface ConsoleConfig {
  readonly port: number;
  /** Of the stack that it shows. */
  readonly runDir: string;
  readonly engineVersions: Readonly<Record<string, string>>;
  /** The last run of the end-to-end tests. */
  readonly ledgerPath: string;
  /** The built page. */
  readonly pageDir: string;
}

const cloneDir = join(import.meta.dirname, '../../..');

/** @throws ZodError naming every bad key. @throws Error when the file cannot be read. */
export const consoleConfig = (env: NodeJS.ProcessEnv): ConsoleConfig => {
  const { CONSOLE_PORT, PARLEY_RUN_DIR, CONSOLE_CONFIG } = Environment.parse(env);
  const file = CONSOLE_CONFIG === undefined ? undefined : readFileSync(CONSOLE_CONFIG, 'utf8');
  return {
    port: CONSOLE_PORT,
    runDir: PARLEY_RUN_DIR,
    engineVersions: file === undefined ? {} : ConfigFile.parse(JSON.parse(file)).engineVersions,
    ledgerPath: join(cloneDir, 'e2e/report/ledger.json'),
    pageDir: join(import.meta.dirname, '../dist'),
  };
};
