import { appendFileSync, mkdtempSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { LogFolder } from './log-folder.ts';
import { shipLogs } from './ship-logs.ts';

const stopping: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stopping.splice(0)) await stop();
});

const folder = (): string => {
  const path = mkdtempSync(join(tmpdir(), 'parley-logs-'));
  stopping.push(() => rm(path, { recursive: true })); // last, as shipping is stopped first
  return path;
};
const line = (n: number): string => `${JSON.stringify({ service: 'order', msg: `line ${String(n)}` })}\n`;

/** Takes lines, or answers 503 while it is told to. */
const engine = async () => {
  const state = { away: false, messages: [] as unknown[], refused: 0 };
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      if (state.away) {
        state.refused += 1;
        response.writeHead(503).end();
        return;
      }
      for (const each of body.split('\n').filter(Boolean))
        state.messages.push((JSON.parse(each) as { _msg: unknown })._msg);
      response.end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  stopping.push(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return { state, url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}` };
};

const ship = async (logs: string, url: string, behindBytesMax?: number) => {
  const said: string[] = [];
  const say = (text: string): void => void said.push(text);
  const output = { line: say, good: say, bad: say, dim: say };
  const shipping = await shipLogs({
    startGraceMs: 0,
    logs,
    url,
    output,
    ...(behindBytesMax === undefined ? {} : { behindBytesMax }),
  });
  stopping.unshift(() => shipping.stop({ deadlineMs: 2_000 }));
  return { shipping, said };
};

describe('shipping of logs', () => {
  it('sends whole lines of all files, also of files that come later, and nothing from before', async () => {
    const logs = folder();
    writeFileSync(join(logs, 'order-1.log'), line(0));
    const { state, url } = await engine();
    const { shipping } = await ship(logs, url);
    appendFileSync(join(logs, 'order-1.log'), line(1) + line(2).slice(0, 10));
    writeFileSync(join(logs, 'kafka.log'), 'started\n');
    await vi.waitFor(() => {
      expect(state.messages).toHaveLength(2);
    }, 5_000);
    appendFileSync(join(logs, 'order-1.log'), line(2).slice(10));
    await shipping.stop({ deadlineMs: 2_000 });
    expect(state.messages.toSorted()).toEqual(['line 1', 'line 2', 'started']);
  });

  it('keeps lines in their files while the engine is away, loses none, and says so once', async () => {
    const logs = folder();
    const { state, url } = await engine();
    state.away = true;
    const { said } = await ship(logs, url);
    appendFileSync(join(logs, 'order-1.log'), line(1));
    await vi.waitFor(() => {
      expect(state.refused).toBeGreaterThan(1);
    }, 8_000);
    appendFileSync(join(logs, 'order-1.log'), line(2));
    expect(said).toEqual([expect.stringContaining('takes no lines')]);
    state.away = false;
    await vi.waitFor(() => {
      expect(state.messages).toEqual(['line 1', 'line 2']);
    }, 8_000);
    await vi.waitFor(() => {
      expect(said).toEqual([expect.anything(), expect.stringContaining('0 were passed over')]);
    });
  });

  it('says once how many lines were passed over while the engine was well', async () => {
    const logs = folder();
    const { state, url } = await engine();
    const { said } = await ship(logs, url, 300_000);
    const lines = Array.from({ length: 40_000 }, (_, n) => line(n));
    writeFileSync(join(logs, 'order-1.new'), lines.join(''));
    renameSync(join(logs, 'order-1.new'), join(logs, 'order-1.log')); // all of it at once
    await vi.waitFor(() => {
      expect(state.messages.at(-1)).toBe('line 39999');
    }, 8_000);
    await vi.waitFor(() => {
      expect(said).toEqual([
        `${40_000 - state.messages.length} log lines were passed over; they are in ${logs} only`,
      ]);
    });
  });

  it('that is too far behind passes old lines over and counts them; its memory stays bounded', async () => {
    const logs = folder();
    const path = join(logs, 'order-1.log');
    const followed = await LogFolder.open(logs, 300_000);
    writeFileSync(path, Array.from({ length: 40_000 }, (_, n) => line(n)).join(''));
    const seen: string[] = [];
    for (let read = await followed.read(); read.length > 0; read = await followed.read()) {
      const bytes = read.flatMap(({ lines }) => lines).join('').length;
      expect(bytes).toBeLessThanOrEqual(256 * 1024);
      seen.push(...read.flatMap(({ lines }) => lines));
      followed.commit();
    }
    expect(followed.dropped).toBeGreaterThan(0);
    expect(followed.dropped + seen.length).toBe(40_000);
    expect(`${seen.at(-1) ?? ''}\n`).toBe(line(39_999));
  });

  it('goes on with a file that was shortened, and passes over a line without end', async () => {
    const logs = folder();
    const path = join(logs, 'order-1.log');
    const followed = await LogFolder.open(logs);
    const next = async (): Promise<readonly string[]> => {
      const read = (await followed.read()).flatMap(({ lines }) => lines);
      followed.commit();
      return read;
    };
    writeFileSync(path, 'one\ntwo\n');
    expect(await next()).toEqual(['one', 'two']);
    truncateSync(path, 0);
    appendFileSync(path, 'new\n');
    expect(await next()).toEqual(['new']);
    appendFileSync(path, 'x'.repeat(600_000));
    for (let n = 0; n < 3; n++) expect(await next()).toEqual([]);
    appendFileSync(path, 'end of it\nafter\n');
    expect(await next()).toEqual(['after']);
    expect(followed.dropped).toBe(1);
    appendFileSync(path, 'x'.repeat(600_000));
    for (let n = 0; n < 3; n++) expect(await next()).toEqual([]);
    truncateSync(path, 0);
    appendFileSync(path, 'first of a shortened file\n');
    expect(await next()).toEqual(['first of a shortened file']);
  });

  it('counts a line without end once, in whatever pieces it is passed over', async () => {
    const logs = folder();
    const path = join(logs, 'order-1.log');
    const followed = await LogFolder.open(logs, 300_000);
    writeFileSync(path, `${'x'.repeat(1_000_000)}\none more\n${'y'.repeat(299_000)}`);
    expect(await followed.read()).toEqual([]);
    followed.commit();
    appendFileSync(path, '\nlast\n');
    expect((await followed.read()).flatMap(({ lines }) => lines)).toEqual(['last']);
    followed.commit();
    expect(followed.dropped).toBe(3);
  });
});
