/** `npm run screenshots`: a picture of each page of the running stack's console, for the README. Exit code 3 without a stack. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Endpoints } from '@parley/contracts/endpoints';
import { openPage } from './browser.ts';

const rootDir = join(import.meta.dirname, '../../..');
const SETTLE_TIMEOUT_MS = 30_000;

const pages = [
  { name: 'overview', path: '/', seen: 'caption', height: 1_000 },
  { name: 'signals', path: '/signals?window=5', seen: '.panels .chart canvas', height: 1_320 },
] as const;

const { values } = parseArgs({
  options: { out: { type: 'string', default: join(rootDir, 'docs/images') }, theme: { type: 'string' } },
});
const theme = values.theme === 'dark' ? 'dark' : 'light';

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
mkdirSync(values.out, { recursive: true });
for (const { name, path, seen, height } of pages) {
  await using opened = await openPage({ theme, height });
  await opened.page.goto(`${url}${path}`);
  await opened.page.locator(seen).first().waitFor({ timeout: SETTLE_TIMEOUT_MS });
  await opened.page.evaluate('document.fonts.ready.then(() => undefined)');
  const file = join(values.out, `console-${name}${theme === 'dark' ? '-dark' : ''}.png`);
  await opened.page.screenshot({ path: file });
  process.stdout.write(`${file}\n`);
}
