import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRunning, startTicksOf } from '@parley/engines/procfs';
import { CommandError, exitCodes, messageOf } from '../cli/exit.ts';
import { rootDir } from '../stack/context.ts';
import { endAllBelow, endLeftovers } from '../stack/leftovers.ts';

const graceMs = 10_000;

/** Of this process, for ever: a pid alone is given to another one some day. */
const ownName = (): string => `parley-test-${process.pid}-${startTicksOf(process.pid) ?? 0}`;

/** Whether a name of a folder is that of a test run whose process is gone. */
const isAbandoned = (name: string): boolean => {
  const [, pid, startTicks] = /^\.?parley-test-(\d+)-(\d+)(?:-|$)/.exec(name) ?? [];
  return pid !== undefined && !isRunning(Number(pid), Number(startTicks));
};

/** The run folder of a stack that this test run starts; the suffix tells several of one run apart. */
export const ownRunDir = (suffix?: string): string =>
  join(rootDir, `.${ownName()}${suffix === undefined ? '' : `-${suffix}`}`);

/** The folders of one `npm test`. */
export interface TestRun {
  /** Reports of the stages. */
  readonly reportDir: string;
  /** The temporary folder of all that the stages start: by it they are found when they outlive their stage. */
  readonly tmpDir: string;
  /** Ends what still works in these folders, engines of an interrupted test above all, and removes them. */
  end(): Promise<void>;
}

const makeFolder = async (): Promise<string> => {
  try {
    return await mkdtemp(join(tmpdir(), `${ownName()}-`));
  } catch (error) {
    throw new CommandError(
      exitCodes.environment,
      `the temporary folder ${tmpdir()} cannot be used: ${messageOf(error)}. Take another one: TMPDIR=<a folder of yours> npm test`,
      error,
    );
  }
};

/** Makes the folders of a test run in the system's temporary folder. Exit code 3 when that cannot be used. */
export const beginTestRun = async (): Promise<TestRun> => {
  const folder = await makeFolder();
  const reportDir = join(folder, 'reports');
  const tmpDir = join(folder, 'tmp');
  for (const inside of [reportDir, tmpDir]) await mkdir(inside);
  return {
    reportDir,
    tmpDir,
    end: async () => {
      await endAllBelow(folder, graceMs);
      await rm(folder, { recursive: true, force: true });
    },
  };
};

/** Folders of test runs whose process is gone, in `parent`; none when it cannot be read. */
const abandonedIn = async (parent: string): Promise<string[]> => {
  const names = await readdir(parent).catch(() => []);
  return names.filter(isAbandoned).map((name) => join(parent, name));
};

/** Where test runs have folders. */
interface Places {
  /** Their temporary folders. */
  readonly system: string;
  /** The run folders of their stacks. */
  readonly clone: string;
}

/**
 * Ends and removes what test runs left that were killed: processes, temporary folders of this user, run folders of this
 * clone. Returns how many processes there were. A run that goes on is left alone.
 */
export const removeAbandonedRuns = async (
  { system, clone }: Places = { system: tmpdir(), clone: rootDir },
): Promise<number> => {
  let ended = 0;
  for (const folder of await abandonedIn(system)) {
    ended += await endAllBelow(folder, graceMs);
    await rm(folder, { recursive: true, force: true }).catch(() => undefined); // another user's
  }
  for (const runDir of await abandonedIn(clone)) {
    ended += await endLeftovers(runDir, graceMs);
    await rm(runDir, { recursive: true, force: true });
  }
  return ended;
};
