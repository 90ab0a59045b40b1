import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { followEngine, queryFiles } from './log-source.ts';

describe('log lines from the files', () => {
  let logs: string;
  beforeEach(async () => {
    logs = await mkdtemp(join(tmpdir(), 'parley-log-source-'));
  });
  afterEach(() => rm(logs, { recursive: true }));

  const at = (second: number): string => new Date(Date.UTC(2026, 10, 29, 1, 0, second)).toISOString();
  const line = (second: number): string =>
    `${JSON.stringify({ time: at(second), level: 'info', service: 'order', msg: `line ${second}`, correlationId: 'c-1' })}\n`;
  const messages = async (fileBytesMax: number, limit = 100): Promise<readonly string[]> => {
    const found = await queryFiles(logs, { correlation: 'c-1', sinceMs: 0 }, { limit, fileBytesMax });
    return found.map(({ _msg }) => _msg);
  };

  it('are those of all files in the order of their time, the newest when there are too many', async () => {
    await writeFile(join(logs, 'order-1.log'), `${line(1)}${line(3)}not json\n`);
    await writeFile(join(logs, 'payment-1.log'), `${line(2)}${line(4)}`);
    await writeFile(join(logs, 'notes.txt'), line(5));
    expect(await messages(10_000)).toEqual(['line 1', 'line 2', 'line 3', 'line 4']);
    expect(await messages(10_000, 2)).toEqual(['line 3', 'line 4']);
  });

  it('are whole lines of the end of a file that is too long to be read', async () => {
    await writeFile(join(logs, 'order-1.log'), Array.from({ length: 50 }, (_, n) => line(n)).join(''));
    const bytes = line(49).length * 3 + 10; // three lines, and a piece of one more
    expect(await messages(bytes)).toEqual(['line 47', 'line 48', 'line 49']);
  });

  it('are none where there is no folder', async () => {
    await rm(logs, { recursive: true });
    expect(await messages(10_000)).toEqual([]);
    await writeFile(logs, ''); // for the end of the test
  });
});

describe('followed lines', () => {
  const secondsAgo = (seconds: number): string => new Date(Date.now() - seconds * 1_000).toISOString();

  /** An engine that answers each question with the next of these, and then with 500. */
  const engineOf = async (...answers: readonly (readonly object[])[]): Promise<string> => {
    const left = [...answers];
    const server = createServer((_request, response) => {
      const records = left.shift();
      if (records === undefined) response.writeHead(500);
      response.end((records ?? []).map((record) => `${JSON.stringify(record)}\n`).join(''));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.close();
    });
    return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`; // listening on TCP
  };

  it('are shown once, also those that are found late, until the engine has not answered three times', async () => {
    const early = { _time: secondsAgo(4), _msg: 'early', service: 'order', ms: '0.7' };
    const late = { _time: secondsAgo(5), _msg: 'late', service: 'order' };
    const other = { ...early, ms: '0.8' };
    const url = await engineOf(
      [early, other],
      [],
      [late, { service: 'order', ms: '0.7000000000000001', _msg: 'early', _time: early._time }],
    );
    const shown: string[] = [];
    const following = async (): Promise<void> => {
      const { signal } = new AbortController();
      for await (const { _msg } of followEngine(url, { sinceMs: 0 }, signal)) shown.push(_msg);
    };
    await expect(following()).rejects.toThrow('it answered 500');
    expect(shown).toEqual(['early', 'early', 'late']);
  }, 30_000);
});
