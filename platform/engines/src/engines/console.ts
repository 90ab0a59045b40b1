import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../artifacts/run.ts';
import type { ObtainControl } from '../artifacts/cache.ts';
import { defineEngine, urlOf } from '../engine.ts';
import { answersOk } from '../probe.ts';

const rootDir = join(import.meta.dirname, '../../../..');
const consoleDir = join(rootDir, 'platform/console');
const distDir = join(consoleDir, 'dist');
/** What the page is built of. */
const sources = [
  join(consoleDir, 'web'),
  join(consoleDir, 'src/api.ts'),
  join(consoleDir, 'package.json'),
  join(rootDir, 'contracts/src'),
];
const buildDeadlineMs = 120_000;

const newestMs = (path: string): number => {
  const stat = statSync(path);
  return stat.isDirectory()
    ? Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newestMs(join(path, name))))
    : stat.mtimeMs;
};

const isStale = (): boolean => {
  const built = join(distDir, 'index.html');
  return !existsSync(built) || statSync(built).mtimeMs < Math.max(...sources.map(newestMs));
};

/** Builds the page when its sources are newer. Built beside and moved, so that two clones' starts at once do no harm. */
const build = async ({ signal, marks, say }: ObtainControl): Promise<void> => {
  if (!isStale()) return;
  say?.('building the page');
  const beside = `${distDir}.${process.pid}`;
  try {
    await run(
      process.execPath,
      [
        join(rootDir, 'node_modules/vite/bin/vite.js'),
        'build',
        'web',
        '--outDir',
        beside,
        '--logLevel',
        'warn',
      ],
      { signal, marks, cwd: consoleDir, deadlineMs: buildDeadlineMs },
    );
    rmSync(distDir, { recursive: true, force: true });
    renameSync(beside, distDir);
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
};

/** Parley's own web console: a small server of this clone that the machinery of the engines builds, starts and keeps. */
export const consoleServer = defineEngine({
  name: 'console',
  version: '0.1.0',
  presence: 'default',
  ports: { console: 70 },
  cacheEntry: undefined,
  obtainedWith: [],
  runsWith: [],
  isConfiguredByStack: true,
  addresses: (ports) => ({
    endpoints: { console: { url: urlOf(ports.console) } },
    serviceEnv: {},
    rows: [{ label: 'console', addresses: [urlOf(ports.console)], isEntrance: true }],
  }),
  obtain: (control = {}) => build(control),
  prepare: async ({ runDir, ports, configPath }) => {
    if (configPath === undefined) throw new RangeError('the console needs configPath');
    await build({});
    const cwd = join(runDir, 'console');
    mkdirSync(cwd, { recursive: true });
    return {
      command: process.execPath,
      args: [join(consoleDir, 'src/main.ts')],
      env: { CONSOLE_PORT: String(ports.console), PARLEY_RUN_DIR: runDir, CONSOLE_CONFIG: configPath },
      cwd,
    };
  },
  isReady: ({ ports }) => answersOk(`${urlOf(ports.console)}/healthz`),
  readyDeadlineMs: 60_000,
});
