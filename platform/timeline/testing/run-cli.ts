import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { run } from '../src/cli/run.ts';

const MAIN = join(import.meta.dirname, '../src/main.ts');
const nowhere = { PARLEY_ENDPOINTS: '/nonexistent/endpoints.json' };

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command in this process with this environment and nothing of a developer's stack. Default: no terminal. */
export async function runCli(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  options: { readonly isTTY?: boolean } = {},
): Promise<CliResult> {
  const text = { stdout: '', stderr: '' };
  const sink = (name: keyof typeof text) => ({
    ...options,
    write: (more: string) => (text[name] += more),
  });
  const code = await run(args, {
    env: { ...nowhere, ...env },
    signal: new AbortController().signal,
    stdout: sink('stdout'),
    stderr: sink('stderr'),
  });
  return { code, ...text };
}

/** A command that runs on. */
export interface RunningCli {
  /** What it has printed so far, whole lines. */
  readonly lines: () => readonly string[];
  /** As Ctrl-C does. */
  readonly interrupt: () => void;
  readonly ended: Promise<CliResult>;
}

/** Starts it as a user does: a process of its own. */
export function startCli(args: readonly string[], env: Readonly<Record<string, string>>): RunningCli {
  const { PATH = '' } = process.env;
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH, ...nowhere, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (chunk: string) => (text[name] += chunk));
  return {
    lines: () => text.stdout.split('\n').slice(0, -1),
    interrupt: () => child.kill('SIGINT'),
    ended: once(child, 'close').then(() => ({ code: child.exitCode, ...text })),
  };
}

/** Runs it as a user does, to its end. */
export const spawnCli = (
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<CliResult> => startCli(args, env).ended;
