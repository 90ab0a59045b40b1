import { existsSync } from 'node:fs';
import { chromium, type BrowserContext, type Page } from 'playwright-core';

/** Debian's package; see platform/engines/src/artifacts/debian.ts. */
const executablePath = '/usr/bin/chromium';

const flags = [
  '--headless',
  '--no-sandbox', // containers and CI run as root, where Chromium refuses its own
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const loopback = new Set(['127.0.0.1', 'localhost', '[::1]']);

/** How the page is looked at. */
export interface BrowserOptions {
  readonly theme?: 'light' | 'dark';
  readonly width?: number;
  readonly height?: number;
}

/** A page in a real browser. */
export interface OpenPage extends AsyncDisposable {
  readonly page: Page;
  /** Requests that would have left the machine: each was aborted. */
  readonly abroad: readonly string[];
  /** What the page's own code threw or wrote as an error. */
  readonly errors: readonly string[];
}

const isAbroad = (url: string): boolean => {
  const { protocol, hostname } = new URL(url);
  return protocol !== 'data:' && protocol !== 'blob:' && !loopback.has(hostname);
};

const watch = async (context: BrowserContext): Promise<string[]> => {
  const abroad: string[] = [];
  await context.route('**/*', async (route) => {
    const url = route.request().url();
    if (!isAbroad(url)) return route.continue();
    abroad.push(url);
    return route.abort();
  });
  return abroad;
};

/** What this machine lacks for a page in a browser, in words that follow "needs"; undefined when one can be opened. */
export const browserNeeds = (): string | undefined =>
  existsSync(executablePath)
    ? undefined
    : `${executablePath}: apt-get install -y --no-install-recommends chromium`;

/** Opens an empty page in Debian's Chromium, without a network. @throws Error naming the package when it is not there. */
export const openPage = async ({
  theme = 'light',
  width = 1280,
  height = 900,
}: BrowserOptions = {}): Promise<OpenPage> => {
  const needs = browserNeeds();
  if (needs !== undefined) throw new Error(`this needs ${needs}`);
  const browser = await chromium.launch({ executablePath, args: flags });
  const context = await browser.newContext({ colorScheme: theme, viewport: { width, height } });
  const abroad = await watch(context);
  const page = await context.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  return { page, abroad, errors, [Symbol.asyncDispose]: () => browser.close() };
};
