import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { processesBelow } from '@parley/engines/testing';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { NeverError, waitFor } from '../wait.ts';
import { meshNeeds } from './mesh.ts';

const root = join(import.meta.dirname, '../../..');
const startMs = 300_000;
/** More than everything in the hub takes to stop, one after the other. */
const goneMs = 300_000;
/** From the base of the mesh that the other tests have to that of this one; see `claimOwnBase`. */
const baseStep = 6000;
const PidFile = z.looseObject({ pid: z.int() });

const namesIn = (folder: string): readonly string[] => (existsSync(folder) ? readdirSync(folder) : []);

/** Namespaces of a launcher's mesh, and the folders of their files. */
const namespacesOf = (launcher: number): readonly string[] =>
  ['/run/netns', '/etc/netns'].flatMap((folder) =>
    namesIn(folder)
      .filter((name) => name.startsWith(`parley-mesh-${launcher}-`))
      .map((name) => join(folder, name)),
  );

const pidsOf = (runDir: string): readonly number[] =>
  namesIn(join(runDir, 'pids')).map(
    (file) => PidFile.parse(JSON.parse(readFileSync(join(runDir, 'pids', file), 'utf8'))).pid,
  );

/** When a launcher is ended, by what its run folder has then. */
interface Moment {
  readonly signal: 'SIGKILL' | 'SIGTERM';
  readonly when: string;
  readonly isNow: (runDir: string) => boolean;
}

const startsUp = (runDir: string): boolean => {
  const files = namesIn(join(runDir, 'pids'));
  return files.includes('istiod.json') && files.some((file) => file.startsWith('sidecar-'));
};

const moments: readonly Moment[] = [
  { signal: 'SIGKILL', when: 'while all of it starts', isNow: startsUp },
  { signal: 'SIGTERM', when: 'while all of it starts', isNow: startsUp },
  {
    signal: 'SIGKILL',
    when: 'once it is ready',
    isNow: (runDir) => existsSync(join(runDir, 'endpoints.json')),
  },
];

describe('a mesh whose launcher ends', () => {
  for (const { signal, when, isNow } of moments)
    it(
      `by ${signal} ${when} leaves no namespace and no process, without another command`,
      { timeout: startMs + goneMs + 60_000 },
      async (context) => {
        if (meshNeeds !== undefined) context.skip(`needs: ${meshNeeds}`);
        const runDir = mkdtempSync(join(tmpdir(), 'parley-leftovers-'));
        const launcher = spawn(process.execPath, ['platform/launcher/src/main.ts', 'mesh'], {
          cwd: root,
          env: {
            ...process.env,
            PARLEY_RUN_DIR: runDir,
            PARLEY_PORT_BASE: String(Number(process.env.PARLEY_PORT_BASE) + baseStep),
            PATH: `${dirname(process.execPath)}:${process.env.PATH ?? ''}`,
          },
          detached: true,
          stdio: 'ignore',
        });
        const pid = launcher.pid ?? 0;
        const ended = once(launcher, 'exit');
        try {
          const started = await waitFor(
            `the moment: ${when}`,
            () => {
              if (launcher.exitCode !== null) throw new NeverError(`it ended with ${launcher.exitCode}`);
              return isNow(runDir) ? pidsOf(runDir) : undefined;
            },
            { deadlineMs: startMs, intervalMs: 200 },
          );
          expect(namespacesOf(pid).length).toBeGreaterThan(10);
          process.kill(-pid, signal); // its whole group, as a terminal or a test runner ends it
          await ended;
          await waitFor(
            'neither a namespace nor a process is left',
            () => {
              const left = [
                ...namespacesOf(pid),
                ...started.filter((each) => existsSync(`/proc/${each}`)).map((each) => `pid ${each}`),
                ...processesBelow(runDir).map((each) => `pid ${each}, which was about to start`),
              ];
              if (left.length > 0) throw new Error(left.join(', '));
              return true;
            },
            { deadlineMs: goneMs, intervalMs: 500 },
          );
        } finally {
          if (launcher.exitCode === null && launcher.signalCode === null) process.kill(-pid, 'SIGTERM');
          await ended;
          rmSync(runDir, { recursive: true, force: true });
        }
      },
    );
});
