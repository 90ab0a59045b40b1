import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { filesUnder, type Contracts } from '../contract-files.ts';
import { isObject } from '../json-schema/accepts.ts';
import { CURRENT, type CheckResult, type Finding } from '../report.ts';

const BUF_DEADLINE_MS = 60_000;
/** buf's own exit code for "there are annotations". */
const BUF_ANNOTATIONS = 100;
const run = promisify(execFile);

interface Annotation {
  readonly path: string;
  readonly line: number;
  readonly rule: string;
  readonly message: string;
}

/** Runs buf and answers its annotations. @throws Error when it could not do its work. */
async function annotations(args: readonly string[], cwd: string): Promise<readonly Annotation[]> {
  const text = await run('buf', [...args, '--error-format', 'json'], { cwd, timeout: BUF_DEADLINE_MS }).then(
    ({ stdout }) => stdout,
    (error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === BUF_ANNOTATIONS && 'stdout' in error)
        return String(error.stdout);
      throw new Error(`buf ${args.join(' ')} failed`, { cause: error });
    },
  );
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const parsed: unknown = JSON.parse(line);
      if (!isObject(parsed)) throw new Error(`buf answered ${line}`);
      const { path, start_line: startLine, type, message } = parsed;
      return {
        path: String(path),
        line: Number(startLine ?? 0),
        rule: String(type),
        message: String(message),
      };
    });
}

const kebab = (rule: string): string => rule.toLowerCase().replaceAll('_', '-');

/** Protocol buffers: buf's lint on today's files, and buf's breaking rules against the files of each release. */
export async function checkProto(current: Contracts, releases: readonly Contracts[]): Promise<CheckResult> {
  const lint = annotations(['lint'], current.dir).then((found) =>
    found.map(({ path, line, rule, message }): Finding => ({
      contract: `proto ${path}`,
      rule: `proto/lint/${kebab(rule)}`,
      versions: { released: 'none', current: CURRENT },
      broke: `line ${line}: ${message}`,
      remedy: 'Name and order it as buf’s STANDARD rules say.',
    })),
  );
  const breaking = releases.map(async (release) => {
    const found = await annotations(['breaking', '--against', release.dir], current.dir);
    return found.map(({ path, line, rule, message }): Finding => ({
      contract: `proto ${path}`,
      rule: `proto/breaking/${kebab(rule)}`,
      versions: { released: release.version, current: CURRENT },
      broke: line > 0 ? `line ${line}: ${message}` : message,
      remedy:
        'Keep number, name and type of what was released; add a field with a new number, or a v2 package.',
    }));
  });
  const findings = await Promise.all([lint, ...breaking]);
  return { check: 'proto', compared: 1 + releases.length, findings: findings.flat() };
}

/** The TypeScript that buf generates from the proto files, by path under `contracts/`. */
export async function protoTypes(
  contractsDir: string,
): Promise<readonly { readonly path: string; readonly text: string }[]> {
  const out = await mkdtemp(join(tmpdir(), 'parley-proto-'));
  try {
    await run('buf', ['generate', '--output', out], { cwd: contractsDir, timeout: BUF_DEADLINE_MS });
    const files = filesUnder(out, '.');
    return await Promise.all(
      files.map(async (path) => ({ path, text: await readFile(join(out, path), 'utf8') })),
    );
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}
