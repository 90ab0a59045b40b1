import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Hono } from 'hono';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { build } from '../../testing/kit.ts';
import { type JsonLines, LineAnswers } from './json-lines.ts';
import { listenHttp } from './server.ts';

/** A service whose operations server answers with these lines, and what it logs. */
const serving = async (lines: JsonLines) => {
  const kit = build({ shutdownDeadlineMs: 10_000 });
  kit.service.addOps([
    { method: 'GET', path: '/ops/lines', answer: () => Promise.resolve({ kind: 'lines', lines }) },
  ]);
  await kit.service.run(() => undefined);
  return { ...kit, url: `http://127.0.0.1:${kit.service.ports.ops ?? 0}/ops/lines` };
};

/** One line, then nothing until the signal aborts, then what of it is at hand, and a last line. */
const untilAborted = (atHandMs: number) => {
  const seen = { ended: false };
  const lines: JsonLines = async function* (signal) {
    yield { n: 0 };
    await once(signal, 'abort');
    await delay(atHandMs);
    seen.ended = true;
    yield { stopped: true };
  };
  return { lines, seen };
};

describe('an answer in lines', () => {
  it('sends each line before the next one is made', async () => {
    const made: number[] = [];
    const turns = [Promise.withResolvers<null>(), Promise.withResolvers<null>()];
    const { url } = await serving(async function* () {
      for (const [n, turn] of turns.entries()) {
        made.push(n);
        yield { n };
        await turn.promise;
      }
    });
    const answer = await fetch(url);
    expect(answer.headers.get('content-type')).toBe('application/x-ndjson');
    const texts: string[] = [];
    for await (const text of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      texts.push(text);
      expect(made).toHaveLength(texts.length);
      turns[texts.length - 1]?.resolve(null);
    }
    expect(texts).toEqual(['{"n":0}\n', '{"n":1}\n']);
  });

  it('ends with the line at hand once its client has gone, and a HEAD begins none', async () => {
    const { lines, seen } = untilAborted(10);
    const { url, lines: logged } = await serving(lines);
    expect((await fetch(url, { method: 'HEAD' })).status).toBe(200);
    expect(seen.ended).toBe(false);
    const client = new AbortController();
    const answer = await fetch(url, { signal: client.signal });
    await answer.body?.getReader().read();
    client.abort();
    await expect.poll(() => seen.ended).toBe(true);
    expect(logged.filter((line) => line.includes('"error"'))).toEqual([]);
  });

  it('whose lines fail is cut and logged, and is not taken for a whole one', async () => {
    const { url, lines: logged } = await serving(async function* () {
      yield { n: 0 };
      await delay(1);
      throw new Error('the broker is away');
    });
    const answer = await fetch(url);
    await expect(answer.text()).rejects.toThrow();
    expect(logged.map((line) => JSON.parse(line) as unknown)).toContainEqual(
      expect.objectContaining({
        level: 'error',
        err: expect.objectContaining({ message: 'the broker is away' }) as unknown,
      }),
    );
  });

  it('ends in order when the service stops, before what its lines are made with is stopped', async () => {
    const { lines, seen } = untilAborted(300);
    const { url, service } = await serving(lines);
    let endedBefore = false;
    service.onStop('broker', () => {
      endedBefore = seen.ended;
    });
    const answer = await fetch(url);
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    await reader?.read();
    const stopped = service.stop();
    expect((await reader?.read())?.value).toBe('{"stopped":true}\n');
    expect(await stopped).toBe(true);
    expect(endedBefore).toBe(true);
  });

  it('is cut without an error when the service stops and its lines end with that', async () => {
    const {
      url,
      service,
      lines: logged,
    } = await serving(async function* (signal) {
      yield { n: 0 };
      await once(signal, 'abort');
      signal.throwIfAborted();
    });
    const answer = await fetch(url);
    const cut = expect(answer.text()).rejects.toThrow();
    expect(await service.stop()).toBe(true);
    await cut;
    expect(logged.filter((line) => line.includes('"error"'))).toEqual([]);
  });

  it('does not hold up a stop when its client reads nothing', async () => {
    let made = 0;
    const { url, service } = await serving(async function* (signal) {
      while (!signal.aborted) {
        made += 1;
        yield await Promise.resolve({ text: 'x'.repeat(1_000_000) });
      }
    });
    const { hostname, port, pathname } = new URL(url);
    const socket = connect(Number(port), hostname).pause();
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(`GET ${pathname} HTTP/1.1\r\nhost: kit\r\n\r\n`);
    let before = -1;
    const isStalled = (): boolean => {
      const isSame = made > 0 && made === before;
      before = made;
      return isSame;
    };
    await expect.poll(isStalled, { interval: 200 }).toBe(true);
    expect(await service.stop()).toBe(true);
    socket.destroy();
  });

  it('is cut when its client reads nothing for too long', async () => {
    const ended = Promise.withResolvers<null>();
    const answers = new LineAnswers({
      stopping: new AbortController().signal,
      logger: pino({ enabled: false }),
      stallMsMax: 100,
    });
    const app = new Hono();
    app.get('/', (c) =>
      answers.answer(c, async function* () {
        try {
          for (;;) yield await Promise.resolve({ text: 'x'.repeat(1_000_000) });
        } finally {
          ended.resolve(null);
        }
      }),
    );
    const server = await listenHttp(app, { port: 0, host: '127.0.0.1' });
    onTestFinished(async () => {
      await server.drain(100);
    });
    const socket = connect(server.port, '127.0.0.1').pause();
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write('GET / HTTP/1.1\r\nhost: kit\r\n\r\n');
    await ended.promise;
    expect(await answers.ended(1_000)).toBe(true);
    socket.destroy();
  });
});
