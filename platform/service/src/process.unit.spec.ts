import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it, vi } from 'vitest';

/** A process takes its time to start on a busy machine. */
vi.setConfig({ testTimeout: 60_000 });

const program = join(import.meta.dirname, '../testing/service-process.ts');
const env = {
  HTTP_PORT: '0',
  OPS_PORT: '0',
  KAFKA_BOOTSTRAP: '127.0.0.1:1',
  REGISTRY_URL: 'http://127.0.0.1:1',
  SHUTDOWN_DEADLINE_MS: '5000',
};
interface Line {
  readonly msg?: unknown;
  readonly http?: unknown;
}

const killing: (() => void)[] = [];
afterEach(() => {
  for (const kill of killing.splice(0)) kill();
});

/** Starts the service in a process of its own. */
const start = (mode: string, over: Record<string, string> = {}) => {
  const child = spawn(process.execPath, [program, mode], { env: { ...env, ...over } });
  killing.push(() => child.kill('SIGKILL'));
  const lines: Line[] = [];
  const waiting: { readonly message: string; readonly resolve: (line: Line) => void }[] = [];
  createInterface(child.stdout).on('line', (text) => {
    const line = JSON.parse(text) as Line;
    lines.push(line);
    for (const { message, resolve } of waiting) if (line.msg === message) resolve(line);
  });
  const said = (message: string): Promise<Line> => {
    const line = lines.find((each) => each.msg === message);
    return line === undefined
      ? new Promise((resolve) => waiting.push({ message, resolve }))
      : Promise.resolve(line);
  };
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
  const exited = once(child, 'close').then(([code]: unknown[]) => code);
  const messages = (): unknown[] => lines.map((line) => line.msg);
  return { child, said, exited, messages, stderr: () => stderr };
};

describe('a service process that gets SIGTERM', () => {
  it('finishes the request under way, begins nothing new, stops its parts and exits 0', async () => {
    const { child, said, exited, messages } = start('run');
    const { http } = await said('listening');
    const answer = fetch(`http://127.0.0.1:${String(http)}/until-stopped`);
    await said('entered');
    child.kill('SIGTERM');
    const response = await answer;
    expect([response.status, await response.text()]).toEqual([200, 'done']);
    expect(await exited).toBe(0);
    expect(messages().slice(-3)).toEqual(['request', 'part stopped', 'stopped']);
    expect(messages()).not.toContain('new work was begun');
  });

  it.each(['start-for-ever', 'start-until-aborted'])('exits 0 also while it starts (%s)', async (mode) => {
    const { child, said, exited, messages } = start(mode);
    await said('starting');
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
    expect(messages()).toContain('part stopped');
    expect(messages()).not.toContain('listening');
  });
});

describe('a service process with a registry', () => {
  it('is listed once it listens, and leaves the list before it stops answering', async () => {
    const asked: string[] = [];
    let answeredWhileLeaving: number | undefined;
    const at: { http?: unknown } = {};
    const registry = createServer((request, response) => {
      void (async () => {
        asked.push(`${String(request.method)} ${String(request.url)}`);
        if (request.method === 'DELETE')
          answeredWhileLeaving = (await fetch(`http://127.0.0.1:${String(at.http)}/nowhere`)).status;
        response.writeHead(200).end();
      })();
    });
    await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
    const { port } = registry.address() as AddressInfo; // listening on TCP
    const over = { EUREKA_URL: `http://127.0.0.1:${port}/eureka`, INSTANCE_ID: 'kit-7' };
    const { child, said, exited } = start('run', over);
    at.http = (await said('listening')).http;
    await vi.waitFor(() => {
      expect(asked[0]).toMatch(/^POST \/eureka\/apps\/[A-Z]+$/);
    }, 10_000);
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
    registry.close();
    expect(asked.at(-1)).toMatch(/^DELETE \/eureka\/apps\/[A-Z]+\/kit-7$/);
    expect(answeredWhileLeaving).toBe(404);
  });
});

describe('a service process', () => {
  it('that cannot start stops what was started and exits 1', async () => {
    const { exited, messages } = start('fail');
    expect(await exited).toBe(1);
    expect(messages()).toEqual([
      'starting',
      'the service cannot start',
      'draining',
      'part stopped',
      'stopped',
    ]);
  });

  it('with a configuration that cannot be used names every bad key and exits 3', async () => {
    const { exited, stderr } = start('run', { HTTP_PORT: 'secret', REGISTRY_URL: '' });
    expect(await exited).toBe(3);
    expect(stderr()).toMatch(/HTTP_PORT: .*\n {2}REGISTRY_URL: is missing/);
    expect(stderr()).not.toContain('secret');
  });
});
