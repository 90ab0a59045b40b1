/**
 * `npm run screenshots`: a picture of each page of the running stack's console in both themes, for the README. Places
 * orders for two minutes, so that the charts have something to show; during the second one payment fails at 30 %. The
 * evidence is that of the last run of the end-to-end tests in this clone. Exit code 3 without a stack. `--out` names another
 * folder than docs/images.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { bypassProxiesOnLoopback, typedPath } from '@parley/cli';
import { Endpoints } from '@parley/contracts/endpoints';
import { LedgerState } from '../src/api.ts';
import { openPage } from './browser.ts';
import { placeOrders, whilePaymentFails } from './load.ts';

const rootDir = resolve(import.meta.dirname, '../../..');
const SETTLE_TIMEOUT_MS = 90_000;
const WELL_FOR_MS = 75_000;
const FAILING_FOR_MS = 45_000;
const themes = ['light', 'dark'] as const;

bypassProxiesOnLoopback(process.env);
const { values } = parseArgs({
  options: { out: { type: 'string', default: join(rootDir, 'docs/images') } },
});
const outDir = typedPath(values.out);

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const endpointsOf = (): Endpoints | undefined => {
  try {
    const path = resolve(rootDir, process.env.PARLEY_RUN_DIR ?? '.parley', 'endpoints.json');
    return Endpoints.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return undefined;
  }
};

const endpoints = endpointsOf();
const url = endpoints?.console?.url;
if (endpoints === undefined || url === undefined) {
  process.stderr.write('no stack with a console is running. Start one with npm run up\n');
  process.exit(3);
}

interface Picture {
  readonly name: string;
  readonly path: string;
  /** There once the page shows what it is to show. */
  readonly seen: string;
  readonly height: number;
}

const picture = async ({ name, path, seen, height }: Picture): Promise<void> => {
  for (const theme of themes) {
    await using opened = await openPage({ theme, height });
    await opened.page.goto(`${url}${path}`);
    await opened.page.locator(seen).first().waitFor({ timeout: SETTLE_TIMEOUT_MS });
    await opened.page.evaluate('document.fonts.ready.then(() => undefined)');
    const file = join(outDir, `console-${name}${theme === 'dark' ? '-dark' : ''}.png`);
    await opened.page.screenshot({ path: file });
    say(file);
  }
};

mkdirSync(outDir, { recursive: true });
const ledger = LedgerState.parse(await (await fetch(`${url}/api/ledger`)).json());
say(
  ledger.kind === 'none'
    ? 'there is no ledger of a run here: the overview shows no evidence. Make one with npm test'
    : `evidence of the run that ended ${new Date(ledger.writtenAtMs).toISOString()}: ${ledger.ledger.proven} of ${ledger.ledger.total} proven`,
);
await picture({ name: 'overview', path: '/', seen: 'caption', height: 1_000 });
const stop = new AbortController();
const placing = Promise.all([placeOrders(url, stop.signal), placeOrders(url, stop.signal)]);
try {
  say(`placing orders for ${(WELL_FOR_MS + FAILING_FOR_MS) / 1000} s; payment fails at the end of it …`);
  await pause(WELL_FOR_MS);
  await whilePaymentFails(endpoints, async () => {
    await pause(FAILING_FOR_MS);
    await picture({
      name: 'signals',
      path: '/signals?window=5',
      seen: 'tr[data-service=payment][data-verdict=cause] .chart canvas',
      height: 1_340,
    });
  });
} finally {
  stop.abort();
  await placing;
}
