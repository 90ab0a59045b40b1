/**
 * The commands behind `npm run contracts:check`, `contracts:release` and `generate`. Exit codes: 0 done, 1 a contract
 * is broken, 2 wrong usage, 3 something outside is missing (a running stack, a registry that answers).
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { bypassProxiesOnLoopback, typedPath, watchOutput } from '@parley/cli';
import { RegistryUnreachable } from './checks/registry.ts';
import { checkContracts } from './check.ts';
import { nextVersion } from './documents/index.ts';
import { readReleases } from './released.ts';
import { endpointsOf, recordCapsule, StackUnfit } from './release/record.ts';
import { checkVersion, release, ReleaseRefused, writeDocuments } from './release/release.ts';
import { formatReport } from './report.ts';

const repositoryDir = resolve(import.meta.dirname, '../../..');
const usage = `usage:
  npm run contracts:check -- [--json] [--registry] [--registry-url <url>] [--root <dir>]
      compares the contracts with every release in contracts/released
      --registry      and the schema registry of the running stack (.parley/endpoints.json)
      --registry-url  and the registry at this address (Confluent-compatible API)
      --json          one JSON object on stdout
      --root          the contracts of another clone
  npm run contracts:release -- [<version>]
      freezes the contracts and a recorded log of the running stack; default: the next minor version
  npm run generate
      writes the generated types and documents`;

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

class UsageError extends Error {
  override readonly name = 'UsageError';
}

async function check(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean', default: false },
      registry: { type: 'boolean', default: false },
      'registry-url': { type: 'string' },
      root: { type: 'string', default: repositoryDir },
    },
  });
  const registryUrl =
    values['registry-url'] ??
    (values.registry ? endpointsOf(repositoryDir, process.env).registry.url : undefined);
  const report = await checkContracts({ repositoryDir: typedPath(values.root), registryUrl });
  say(values.json ? JSON.stringify(report, undefined, 2) : formatReport(report));
  return report.ok ? 0 : 1;
}

async function makeRelease(args: readonly string[]): Promise<number> {
  const { positionals } = parseArgs({ args: [...args], options: {}, allowPositionals: true });
  if (positionals.length > 1) throw new UsageError(`one version, not ${positionals.join(' ')}`);
  const releases = readReleases(resolve(repositoryDir, 'contracts'));
  const version = positionals[0] ?? nextVersion(releases);
  checkVersion(version, releases);
  const report = await checkContracts({ repositoryDir });
  if (!report.ok) {
    say(formatReport(report));
    return 1;
  }
  const note = `Parley's contracts ${version}: orders shipped, short of stock, declined and of an unknown product, and a commit that lost.`;
  const dir = await release(version, {
    repositoryDir,
    recordCapsule: (releaseDir) => recordCapsule(releaseDir, { repositoryDir, note, env: process.env }),
  });
  say(`released ${version} in ${dir}: commit it together with the regenerated documents`);
  return 0;
}

async function dispatch([command, ...args]: readonly string[]): Promise<number> {
  if (args.includes('--help') || command === '--help') {
    say(usage);
    return 0;
  }
  if (command === 'check') return check(args);
  if (command === 'release') return makeRelease(args);
  if (command !== 'generate')
    throw new UsageError(command === undefined ? 'no command' : `unknown command ${command}`);
  for (const path of writeDocuments(repositoryDir)) say(path);
  return 0;
}

const exitCodeOf = (error: unknown): number | undefined => {
  if (error instanceof StackUnfit || error instanceof RegistryUnreachable) return 3;
  if (error instanceof UsageError || error instanceof ReleaseRefused) return 2;
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && code.startsWith('ERR_PARSE_ARGS') ? 2 : undefined;
};

bypassProxiesOnLoopback(process.env);
watchOutput({ closed: () => process.exit(0), failed: () => process.exit(1) });
try {
  process.exitCode = await dispatch(process.argv.slice(2));
} catch (error) {
  const exitCode = exitCodeOf(error);
  if (exitCode === undefined || !(error instanceof Error)) throw error;
  process.stderr.write(`${error.message}${exitCode === 2 ? `\n\n${usage}` : ''}\n`);
  process.exitCode = exitCode;
}
