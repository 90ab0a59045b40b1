import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { CURRENT, type CheckResult, type Finding } from './report.ts';

const run = promisify(execFile);
const GIT_DEADLINE_MS = 20_000;
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;
const RELEASED = 'contracts/released';
const CHECK = 'released history';

/** Whether a folder lies in a git repository: a source archive does not. Asks the files, since git's refusals have many reasons. */
const isInRepository = (folder: string): boolean =>
  existsSync(join(folder, '.git')) || (dirname(folder) !== folder && isInRepository(dirname(folder)));

/** What git prints. @throws Error with what it says when it fails, is killed at the deadline, or is not there. */
const git = async (repositoryDir: string, args: readonly string[]): Promise<string> => {
  const { stdout } = await run('git', [...args], {
    cwd: repositoryDir,
    timeout: GIT_DEADLINE_MS,
    maxBuffer: OUTPUT_BYTES_MAX,
  });
  return stdout;
};

const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  const said = 'stderr' in error && typeof error.stderr === 'string' ? error.stderr.trim() : '';
  return said === '' ? error.message : said;
};

/** Git was asked and did not answer: nothing is known, which is not the same as nothing having happened. */
const unanswered = (error: unknown): CheckResult => ({
  check: CHECK,
  compared: 0,
  findings: [
    {
      contract: 'release history',
      rule: 'released/history-unread',
      versions: { released: 'git', current: CURRENT },
      broke: `git did not tell what happened to ${RELEASED}: ${reasonOf(error)}`,
      remedy: 'Make `git log` work in this clone (install git, or do what it says), and check again.',
    },
  ],
});

const changesOf = ['--no-renames', '--diff-filter=MDT', '--name-status'];

/**
 * Git's view of the releases: no commit ever edited, renamed or deleted a released file, a manifest included. Compares
 * nothing where there is no git repository; a shallow clone shows what it has. A git that fails is a finding.
 */
export async function checkHistory(repositoryDir: string): Promise<CheckResult> {
  if (!isInRepository(resolve(repositoryDir))) return { check: CHECK, compared: 0, findings: [] };
  let log: string;
  let uncommitted: string;
  try {
    // -m: a merge is compared with each of its parents, or whatever it changes by itself would not be seen.
    log = await git(repositoryDir, ['log', '-m', ...changesOf, '--format=commit %h', '--', RELEASED]);
    uncommitted = await git(repositoryDir, ['diff', ...changesOf, 'HEAD', '--', RELEASED]);
  } catch (error) {
    return unanswered(error);
  }
  const findings: Finding[] = [];
  let commit = '';
  for (const line of [...log.split('\n'), 'commit uncommitted', ...uncommitted.split('\n')]) {
    if (line.startsWith('commit ')) commit = line.slice('commit '.length);
    const change = /^([MDT])\t(.+)$/.exec(line);
    const file = change?.[2];
    if (change === null || file === undefined) continue;
    const what = change[1] === 'D' ? 'deleted' : 'edited';
    findings.push({
      contract: `release ${file.split('/')[2] ?? ''}`,
      rule: 'released/history',
      versions: { released: 'git', current: commit === 'uncommitted' ? CURRENT : commit },
      broke: `${file} was ${what} after its release (${commit})`,
      remedy: 'Restore what was released; a change is a new release.',
    });
  }
  return { check: CHECK, compared: 1, findings };
}
