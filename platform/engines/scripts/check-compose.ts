import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/* `npm run compose:check`: compose.yaml as `docker compose` reads it. Where that command is absent it says so and passes. */
const file = join(import.meta.dirname, '..', 'compose.yaml');

const compose = (...args: string[]) => spawnSync('docker', ['compose', ...args], { encoding: 'utf8' });

const version = compose('version');
if (version.status === 0) {
  const { status, stdout, stderr } = compose('--file', file, 'config', '--quiet');
  process.stdout.write(`${stdout}${stderr}`);
  process.stdout.write(
    `compose.yaml: ${status === 0 ? 'valid' : 'NOT VALID'} (docker compose ${version.stdout.trim()})\n`,
  );
  process.exitCode = status === 0 ? 0 : 1;
} else {
  const reason = version.error?.message ?? version.stderr.trim().split('\n')[0] ?? 'no reason given';
  process.stdout.write(`compose.yaml: not validated here, docker compose is absent (${reason})\n`);
}
