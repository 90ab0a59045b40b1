import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aotFailureOf } from '../src/aot-cache.ts';
import { engineNamed, engineNames as all } from '../src/ports.ts';
import { processesOf } from '../src/process.ts';
import { nodesOf } from '../src/selection.ts';
import { waitUntil } from '../src/wait.ts';
import { startTestEngines, type TestEngines } from './index.ts';

const schema = JSON.stringify({ schema: JSON.stringify({ type: 'string' }) });
const headers = { 'content-type': 'application/json' };
/**
 * The console is no engine of others: it is Parley's own server, which a whole stack configures and e2e opens. The second and
 * third node of Kafka have a test of their own, the event log's chaos.
 */
const engineNames = all.filter((name) => name !== 'console' && !nodesOf('kafka').slice(1).includes(name));

describe('all engines together', () => {
  let folder: string;
  let engines: TestEngines;
  const living = () => engineNames.filter((name) => processesOf(engines.runDir, name).length > 0);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parley-engines-'));
    engines = await startTestEngines({ only: engineNames, dir: join(folder, 'Übung 数据, "two"') });
  });
  afterAll(async () => {
    await engines.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('every one is ready and takes memory', () => {
    expect(living()).toEqual([...engineNames]);
    for (const name of engineNames) expect(engines.engine(name).residentBytes()).toBeGreaterThan(1e6);
  });

  it.each(engineNames.filter((name) => engineNamed(name).java !== undefined))(
    '%s runs from its AOT cache',
    (name) => {
      const { java } = engineNamed(name);
      expect(java && aotFailureOf(java)?.path, 'it was not made; npm run obtain tries again').toBeUndefined();
      const maps = readFileSync(`/proc/${engines.engine(name).pid}/maps`, 'utf8');
      expect(maps).toContain(`aot-${name}-`); // the JVM maps the file only when it takes it
    },
  );

  it('a schema survives kill -9 of broker and registry', async () => {
    const subject = `${engines.registryUrl}/subjects/kept/versions`;
    const registered = await fetch(subject, { method: 'POST', headers, body: schema });
    expect(registered.status).toBe(200);
    await engines.kill('registry');
    await engines.kill('kafka');
    await engines.restart('kafka');
    await engines.restart('registry');
    const kept: unknown = await (await fetch(subject)).json();
    expect(kept).toEqual([1]);
  });

  it('Kafka keeps its log in the run folder, whatever that is called', () => {
    expect(existsSync(join(engines.runDir, 'kafka', 'data', 'meta.properties'))).toBe(true);
  });

  it('VictoriaLogs finds a line by a field with a dot in its name', async () => {
    const logs = `http://127.0.0.1:${engines.ports.logs}`;
    const line = { time: new Date().toISOString(), msg: 'hello', service: 'order', 'correlation.id': 'c-9' };
    const fields = '_stream_fields=service&_msg_field=msg&_time_field=time';
    const body = JSON.stringify(line);
    expect((await fetch(`${logs}/insert/jsonline?${fields}`, { method: 'POST', body })).status).toBe(200);
    const query = new URLSearchParams({ query: '"correlation.id":"c-9"' });
    const found = async (): Promise<boolean> => {
      const answer = await fetch(`${logs}/select/logsql/query`, { method: 'POST', body: query });
      return (await answer.text()).includes('"_msg":"hello"');
    };
    expect(await waitUntil(found, { deadlineMs: 120_000 })).toBe(true);
  });

  it('RabbitMQ starts again on its state after kill -9', async () => {
    await engines.kill('rabbitmq');
    await engines.restart('rabbitmq');
    expect(living()).toContain('rabbitmq');
  });

  it('stop leaves no process, and may be called again', async () => {
    await engines.stop();
    expect(living()).toEqual([]);
  });
});
