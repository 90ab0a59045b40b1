import { parseArgs } from 'node:util';
import { benchAppend } from './append.ts';
import type { ClaimResult } from './pairs.ts';

const USAGE = `Usage: npm run bench -- <benchmark> [--pairs N] [--json]

Measures a claim against a named rival on engines of its own, in alternating pairs.

  append    appends acknowledged by echo against plain kafkajs

  --pairs N   how many pairs, at least 5 (default 5)
  --json      one JSON document on standard output instead of text

Exit codes: 0 every claim holds, 1 a claim missed its bound or counts did not match, 2 usage, 3 environment.
`;

const benchmarks: Readonly<
  Record<string, (pairs: number, print: (line: string) => void) => Promise<ClaimResult[]>>
> = {
  append: benchAppend,
};

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      pairs: { type: 'string', default: '5' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const [name] = positionals;
  const benchmark = name === undefined ? undefined : benchmarks[name];
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const pairs = Number(values.pairs);
  if (benchmark === undefined || !Number.isInteger(pairs) || pairs < 5) {
    process.stderr.write(USAGE);
    return 2;
  }
  const results = await benchmark(pairs, (line) => {
    (values.json ? process.stderr : process.stdout).write(`${line}\n`);
  });
  if (values.json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
  return results.every((result) => result.holds) ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const known =
    error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${known ? USAGE : ''}`);
  process.exitCode = known ? 2 : 1;
}
