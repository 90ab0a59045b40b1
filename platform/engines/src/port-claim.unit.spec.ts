import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { claimPortBase } from './port-claim.ts';

/** Of this process: another run of this test may go on beside it. */
const first = 11_000 + 10 * (process.pid % 280);
const bases = [first, first + 2, first + 4, first + 6];
const portsOf = (base: number): number[] => [base + 1];
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A process that waits for a byte, claims, prints what it got, and keeps it until it is killed. */
const claimer = async (): Promise<{ readonly go: () => void; readonly base: Promise<number> }> => {
  const code = `
    import { claimPortBase } from ${JSON.stringify(join(import.meta.dirname, 'port-claim.ts'))};
    process.stdout.write('ready ');
    process.stdin.once('data', async () => {
      const claim = await claimPortBase(${JSON.stringify(bases)}, (base) => [base + 1]);
      process.stdout.write((claim?.base ?? 'none') + '.');
    });`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', code], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  let printed = '';
  const got = Promise.withResolvers<number>();
  const ready = Promise.withResolvers<undefined>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
    if (printed.startsWith('ready ')) ready.resolve(undefined);
    const base = /^ready (\w+)\./.exec(printed)?.[1];
    if (base !== undefined) got.resolve(Number(base));
  });
  child.on('exit', () => {
    got.reject(new Error('the claimer ended'));
  });
  got.promise.catch(() => undefined); // one that is killed after the test asked nothing of it
  await ready.promise;
  return { go: () => child.stdin.write('.'), base: got.promise };
};

it(
  'processes that race for a base get different ones, and one that is killed gives its own back',
  { timeout: 90_000 },
  async () => {
    const racers = await Promise.all([claimer(), claimer(), claimer()]);
    for (const racer of racers) racer.go();
    const got = await Promise.all(racers.map(({ base }) => base));
    expect(new Set(got).size).toBe(3);
    for (const base of got) expect(bases).toContain(base);

    const [killed] = children;
    if (killed === undefined) throw new Error('no child');
    const exit = once(killed, 'exit');
    killed.kill('SIGKILL');
    await exit;
    const [givenBack, ...kept] = got;
    expect(await claimPortBase(kept, portsOf)).toBeUndefined();
    const claimed = await claimPortBase([...kept, givenBack ?? 0], portsOf);
    expect(claimed?.base).toBe(givenBack);
    await claimed?.release();
  },
);

it('a base is passed over when one of its ports is in use, and is not kept', async () => {
  const below = first + 8;
  const server = createServer().listen(below + 1, '127.0.0.1');
  await once(server, 'listening');
  expect(await claimPortBase([below], portsOf)).toBeUndefined();
  server.close();
  await once(server, 'close');
  const claimed = await claimPortBase([below], portsOf);
  expect(claimed?.base).toBe(below);
  expect(await claimPortBase([below], portsOf)).toBeUndefined();
  await claimed?.release();
  const again = await claimPortBase([below], portsOf);
  expect(again?.base).toBe(below);
  await again?.release();
});
