import { expect, it } from 'vitest';
import { deadLetterRoutes, type OpsAnswer } from './ops-routes.ts';
import type { DeadLetterStore, LetterSummary } from './store.ts';

const letter = (id: string, differs: Partial<LetterSummary> = {}): LetterSummary => ({
  id: `group:${id}`,
  broker: 'kafka',
  source: 'topic',
  consumer: 'group',
  position: '0@1',
  subject: 's',
  type: 'PaymentCompleted',
  correlationId: 'c',
  reason: 'attempts-exhausted',
  message: 'no address',
  attempts: 5,
  sinceMs: 1,
  redrives: 0,
  state: 'open',
  note: undefined,
  ...differs,
});

const letters = [
  letter('open'),
  letter('requested', { state: 'requested', type: 'PaymentFailed' }),
  letter('parked', { reason: 'parked-behind' }),
  letter('died-again', { reason: 'parked-behind', redrives: 1 }),
  letter('queued', { broker: 'rabbitmq' }),
  letter('settled', { state: 'redriven' }),
];

/** A store of these letters, which refuses one of them and has lost another, and what was ordered of it. */
const storeOf = (differs: Partial<DeadLetterStore> = {}) => {
  const ordered: string[] = [];
  const order = (id: string) => {
    ordered.push(id);
    if (id === 'group:queued') return Promise.resolve({ kind: 'refused', why: 'redriven 20 times' } as const);
    return Promise.resolve({ kind: id === 'group:died-again' ? 'not-found' : 'ok' } as const);
  };
  const store: DeadLetterStore = {
    list: () => Promise.resolve(letters),
    show: (id) => {
      const found = letters.find((each) => each.id === id);
      return Promise.resolve(
        found && {
          ...found,
          errorClass: '',
          traceparent: undefined,
          headers: [],
          key: null,
          value: null,
          decoded: 1,
        },
      );
    },
    redrive: order,
    discard: order,
    ...differs,
  };
  const routes = deadLetterRoutes(store);
  const ask = (
    route: string,
    { query = {}, body, id = '' }: { query?: Record<string, string>; body?: unknown; id?: string } = {},
  ): Promise<OpsAnswer> => {
    const found = routes.find(({ method, path }) => `${method} ${path}` === route);
    if (found === undefined) throw new Error(`there is no route ${route}`);
    const json = () =>
      body === undefined ? Promise.reject(new SyntaxError('no JSON')) : Promise.resolve(body);
    return found.answer({ params: { id }, query, json });
  };
  return { ordered, ask };
};

const idsOf = (ids: readonly string[]): string[] => ids.map((id) => id.slice('group:'.length));

/** All lines of an answer. */
const linesOf = async (
  answer: OpsAnswer,
  signal: AbortSignal = new AbortController().signal,
): Promise<readonly object[]> => {
  if (answer.kind !== 'lines') throw new Error(`the answer is ${JSON.stringify(answer)}`);
  const lines: object[] = [];
  for await (const line of answer.lines(signal)) lines.push(line);
  return lines;
};

it.each([
  [{}, ['open', 'requested', 'parked', 'died-again', 'queued', 'settled']],
  [{ settled: 'false' }, ['open', 'requested', 'parked', 'died-again', 'queued']],
  [{ state: 'requested' }, ['requested']],
  [{ state: 'redriven', settled: 'true' }, ['settled']],
  [{ broker: 'rabbitmq' }, ['queued']],
  [{ reason: 'behind', broker: 'kafka' }, ['parked', 'died-again']],
  [{ type: 'Payment' }, []],
])('a list filtered by %j has what fits all of it', async (query, expected) => {
  const answer = await storeOf().ask('GET /ops/dead-letters', { query });
  if (answer.kind !== 'ok') throw new Error(answer.kind);
  const { letters: listed } = answer.body as { letters: readonly LetterSummary[] };
  expect(idsOf(listed.map(({ id }) => id))).toEqual(expected);
});

it.each([
  ['GET /ops/dead-letters', { query: { status: 'open' } }, 'status'],
  ['GET /ops/dead-letters', { query: { broker: 'zeromq' } }, 'broker'],
  ['GET /ops/dead-letters', { query: { settled: '1' } }, 'settled'],
  ['GET /ops/dead-letters/export', { query: { max: '1e3' } }, 'max'],
  ['GET /ops/dead-letters/export', { query: { max: '0x10' } }, 'max'],
  ['GET /ops/dead-letters/export', { query: { max: '100001' } }, 'max'],
  ['GET /ops/dead-letters/export', { query: { state: 'redriven' } }, 'state'],
  ['POST /ops/dead-letters/redrive', {}, 'the request'],
  ['POST /ops/dead-letters/redrive', { body: { why: ' ' } }, 'why'],
  ['POST /ops/dead-letters/redrive', { body: { why: 'x', max: 100_001 } }, 'max'],
  ['POST /ops/dead-letters/redrive', { body: { why: 'x', max: '5' } }, 'max'],
  ['POST /ops/dead-letters/redrive', { body: { why: 'x', ratePerSecond: 0 } }, 'ratePerSecond'],
  ['POST /ops/dead-letters/redrive', { body: { why: 'x', ratePerSecond: 1_001 } }, 'ratePerSecond'],
  ['POST /ops/dead-letters/redrive', { body: { why: 'x', dryrun: true } }, 'dryrun'],
  ['POST /ops/dead-letters/discard', { body: { why: 'x', filter: { settled: true } } }, 'filter'],
  ['POST /ops/dead-letters/:id/discard', { body: { why: 'x'.repeat(501) } }, 'why'],
  ['POST /ops/dead-letters/:id/discard', { body: { why: 'x', dryRun: true } }, 'dryRun'],
  ['POST /ops/dead-letters/:id/redrive', { body: { why: 'x', dryRun: true } }, 'dryRun'],
  ['POST /ops/dead-letters/:id/redrive', { body: { edited: {} } }, 'why'],
])(
  '%s with %j is refused by the name of what is wrong, and nothing is ordered',
  async (route, asked, named) => {
    const { ask, ordered } = storeOf();
    expect(await ask(route, asked)).toEqual({
      kind: 'invalid',
      detail: expect.stringContaining(named) as string,
    });
    expect(ordered).toEqual([]);
  },
);

it('an export has the letters that wait with their originals, and no more than were asked for', async () => {
  const { ask } = storeOf({
    show: (id) =>
      Promise.resolve(
        id === 'group:requested'
          ? undefined
          : ({ id, value: 'eA==' } as Awaited<ReturnType<DeadLetterStore['show']>>),
      ),
  });
  const exported = await linesOf(await ask('GET /ops/dead-letters/export', { query: { max: '3' } }));
  expect(exported).toEqual([
    { id: 'group:open', value: 'eA==' },
    { id: 'group:parked', value: 'eA==' },
  ]);
  const stopped = linesOf(
    await ask('GET /ops/dead-letters/export'),
    AbortSignal.abort(new Error('stopping')),
  );
  await expect(stopped).rejects.toThrow('stopping');
});

it('an order of many is of those that wait and fit, passes over what follows by itself, and says what became of each', async () => {
  const { ask, ordered } = storeOf();
  const body = { why: 'mended', ratePerSecond: 1_000 };
  expect(await linesOf(await ask('POST /ops/dead-letters/redrive', { body }))).toEqual([
    { id: 'group:open', result: 'done' },
    { id: 'group:died-again', result: 'gone', why: 'it is settled, or another process looks at it' },
    { id: 'group:queued', result: 'refused', why: 'redriven 20 times' },
    { left: 0 },
  ]);
  expect(idsOf(ordered)).toEqual(['open', 'died-again', 'queued']);
  const parked = { ...body, filter: { reason: 'parked', broker: 'kafka' } };
  expect(await linesOf(await ask('POST /ops/dead-letters/discard', { body: parked }))).toMatchObject([
    { id: 'group:parked' },
    { id: 'group:died-again' },
    { left: 0 },
  ]);
});

it('an order of many takes no more than its maximum and says how many are left, and a dry run orders nothing', async () => {
  const { ask, ordered } = storeOf();
  const body = { why: 'mended', ratePerSecond: 1_000 };
  expect(await linesOf(await ask('POST /ops/dead-letters/redrive', { body: { ...body, max: 1 } }))).toEqual([
    { id: 'group:open', result: 'done' },
    { left: 2 },
  ]);
  expect(await linesOf(await ask('POST /ops/dead-letters/redrive', { body: { ...body, max: 0 } }))).toEqual([
    { left: 3 },
  ]);
  const dry = { ...body, ratePerSecond: 1, max: 2, dryRun: true };
  expect(await linesOf(await ask('POST /ops/dead-letters/discard', { body: dry }))).toEqual([
    { id: 'group:open', result: 'would discard' },
    { id: 'group:requested', result: 'would discard' },
    { left: 3 },
  ]);
  expect(idsOf(ordered)).toEqual(['open']);
});

it('letters are ordered no faster than the rate, and the signal ends an order before the next one', async () => {
  const { ask, ordered } = storeOf();
  const body = { why: 'mended', ratePerSecond: 20, max: 3 };
  const startedAt = performance.now();
  await linesOf(await ask('POST /ops/dead-letters/redrive', { body }));
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(2 * 49);
  const stopping = new AbortController();
  const answer = await ask('POST /ops/dead-letters/redrive', { body: { ...body, ratePerSecond: 1 } });
  if (answer.kind !== 'lines') throw new Error(answer.kind);
  const lines: object[] = [];
  ordered.length = 0;
  for await (const line of answer.lines(stopping.signal)) {
    lines.push(line);
    stopping.abort(new Error('the service is stopping'));
  }
  expect(lines).toEqual([
    { id: 'group:open', result: 'done' },
    { left: 2, stopped: 'the service is stopping' },
  ]);
  expect(idsOf(ordered)).toEqual(['open']);
});

it('a redrive of many is never of the same letters twice', async () => {
  const states = new Map<string, LetterSummary['state']>(
    ['a', 'b', 'c', 'd'].map((name) => [`group:${name}`, 'open']),
  );
  states.set('group:a', 'requested');
  const ordered: string[] = [];
  const { ask } = storeOf({
    list: () => Promise.resolve([...states].map(([id, state]) => ({ ...letter(''), id, state }))),
    redrive: (id) => {
      ordered.push(id);
      states.set(id, 'requested');
      return Promise.resolve({ kind: 'ok' });
    },
  });
  const body = { why: 'mended', ratePerSecond: 1_000, max: 1 };
  const redrive = (max: number) => ask('POST /ops/dead-letters/redrive', { body: { ...body, max } });
  expect(await linesOf(await redrive(1))).toEqual([{ id: 'group:b', result: 'done' }, { left: 2 }]);
  expect(await linesOf(await redrive(2))).toEqual([
    { id: 'group:c', result: 'done' },
    { id: 'group:d', result: 'done' },
    { left: 0 },
  ]);
  expect(idsOf(ordered)).toEqual(['b', 'c', 'd']);
});

it('a second order of many is refused until the first has ended, also when that failed; what only counts is not', async () => {
  let isAway = true;
  const { ask } = storeOf({
    list: () => (isAway ? Promise.reject(new Error('no list')) : Promise.resolve(letters)),
    redrive: () => Promise.reject(new Error('the broker is away')),
  });
  const body = { why: 'mended' };
  await expect(ask('POST /ops/dead-letters/redrive', { body })).rejects.toThrow('no list');
  isAway = false;
  const first = await ask('POST /ops/dead-letters/redrive', { body });
  expect(await ask('POST /ops/dead-letters/discard', { body })).toMatchObject({ kind: 'conflict' });
  for (const counts of [{ dryRun: true }, { max: 0 }])
    expect(await ask('POST /ops/dead-letters/discard', { body: { ...body, ...counts } })).toMatchObject({
      kind: 'lines',
    });
  await expect(linesOf(first)).rejects.toThrow('the broker is away');
  expect(await ask('POST /ops/dead-letters/discard', { body })).toMatchObject({ kind: 'lines' });
});

it('a single letter is ordered as it was edited, and a reason why it is not is told', async () => {
  const redriven: unknown[] = [];
  const { ask } = storeOf({
    redrive: (id, options) => {
      redriven.push([id, options]);
      return Promise.resolve({ kind: 'ok' });
    },
  });
  const route = 'POST /ops/dead-letters/:id/redrive';
  const body = { why: 'mended', edited: null };
  expect(await ask(route, { id: 'group:open', body })).toEqual({ kind: 'ok', body: {} });
  expect(await ask(route, { id: 'group:open', body: { why: 'again' } })).toEqual({ kind: 'ok', body: {} });
  expect(redriven).toEqual([
    ['group:open', body],
    ['group:open', { why: 'again' }],
  ]);
  const discard = (id: string) =>
    storeOf().ask('POST /ops/dead-letters/:id/discard', { id, body: { why: 'x' } });
  expect(await discard('group:queued')).toEqual({ kind: 'conflict', detail: 'redriven 20 times' });
  expect(await discard('group:died-again')).toMatchObject({ kind: 'not-found' });
});
