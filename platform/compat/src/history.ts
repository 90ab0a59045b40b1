import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { CURRENT, type CheckResult, type Finding } from './report.ts';

const run = promisify(execFile);
const GIT_DEADLINE_MS = 20_000;
const RELEASED = 'contracts/released';

const git = async (repositoryDir: string, args: readonly string[]): Promise<string | undefined> => {
  try {
    return (await run('git', [...args], { cwd: repositoryDir, timeout: GIT_DEADLINE_MS })).stdout;
  } catch {
    return undefined; // no git, or no repository (a source archive): the manifests are what is left
  }
};

/**
 * Git's view of the releases: no commit ever edited, renamed or deleted a released file, a manifest included. Compares
 * nothing where there is no git history; a shallow clone shows what it has.
 */
export async function checkHistory(repositoryDir: string): Promise<CheckResult> {
  const log = await git(repositoryDir, [
    'log',
    '--no-renames',
    '--diff-filter=MDT',
    '--name-status',
    '--format=commit %h',
    '--',
    RELEASED,
  ]);
  const uncommitted = await git(repositoryDir, [
    'diff',
    '--no-renames',
    '--diff-filter=MDT',
    '--name-status',
    'HEAD',
    '--',
    RELEASED,
  ]);
  if (log === undefined) return { check: 'released history', compared: 0, findings: [] };
  const findings: Finding[] = [];
  let commit = '';
  for (const line of [...log.split('\n'), 'commit uncommitted', ...(uncommitted ?? '').split('\n')]) {
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
  return { check: 'released history', compared: 1, findings };
}
