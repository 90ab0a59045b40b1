/**
 * `npm run screenshots`: a picture of each page of the running stack's console in both themes, for the README. The
 * evidence is that of the last run of the end-to-end tests in this clone. Exit code 3 without a stack.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LedgerState } from '../src/api.ts';
import { Endpoints } from '@parley/contracts/endpoints';
import { openPage } from './browser.ts';

const rootDir = join(import.meta.dirname, '../../..');
const SETTLE_TIMEOUT_MS = 30_000;

const pages = [
  { name: 'overview', path: '/', seen: 'caption', height: 1_000 },
  { name: 'signals', path: '/signals?window=5', seen: '.panels .chart canvas', height: 1_320 },
] as const;

const themes = ['light', 'dark'] as const;

const { values } = parseArgs({
  options: { out: { type: 'string', default: join(rootDir, 'docs/images') } },
});

const urlOfConsole = (): string | undefined => {
  try {
    const path = join(rootDir, process.env.PARLEY_RUN_DIR ?? '.parley', 'endpoints.json');
    return Endpoints.parse(JSON.parse(readFileSync(path, 'utf8'))).console?.url;
  } catch {
    return undefined;
  }
};

const url = urlOfConsole();
if (url === undefined) {
  process.stderr.write('no stack with a console is running. Start one with npm run up\n');
  process.exit(3);
}
const ledger = LedgerState.parse(await (await fetch(`${url}/api/ledger`)).json());
process.stdout.write(
  ledger.kind === 'none'
    ? 'no ledger of a run is here: the overview shows no evidence. Make one with npm test\n'
    : `evidence of the run of ${new Date(ledger.writtenAtMs).toISOString()}: ${ledger.ledger.proven} of ${ledger.ledger.total} proven\n`,
);
mkdirSync(values.out, { recursive: true });
for (const theme of themes)
  for (const { name, path, seen, height } of pages) {
    await using opened = await openPage({ theme, height });
    await opened.page.goto(`${url}${path}`);
    await opened.page.locator(seen).first().waitFor({ timeout: SETTLE_TIMEOUT_MS });
    await opened.page.evaluate('document.fonts.ready.then(() => undefined)');
    const file = join(values.out, `console-${name}${theme === 'dark' ? '-dark' : ''}.png`);
    await opened.page.screenshot({ path: file });
    process.stdout.write(`${file}\n`);
  }
