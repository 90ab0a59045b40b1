import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { attribute, metricDefinitions, prometheusLabel, prometheusName } from '@parley/contracts/telemetry';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const file = 'parley.rules.yaml';
const rules = await readFile(join(import.meta.dirname, file), 'utf8');
const names = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name = '']) => name);

const promtool = (...args: string[]): Promise<{ stdout: string }> =>
  promisify(execFile)('promtool', args, { cwd: import.meta.dirname });

describe('the alert rules', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parley-alerts-'));
    for (const name of await readdir(import.meta.dirname))
      if (name.endsWith('.yaml')) await cp(join(import.meta.dirname, name), join(folder, name));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const tested = async (text: string): Promise<boolean> => {
    await writeFile(join(folder, file), text);
    return promtool('test', 'rules', join(folder, 'parley.test.yaml')).then(
      () => true,
      () => false,
    );
  };

  it('are rules that Prometheus takes', async () => {
    expect((await promtool('check', 'rules', file)).stdout).toContain('SUCCESS');
  });

  it('ask only for metrics and labels that a service has by contract', () => {
    const known = Object.values(metricDefinitions).map(prometheusName);
    const asked = rules.match(/\b(?:http|rpc|messaging|parley)_[a-z_]+(?=[{[ )])/g) ?? [];
    const labels = rules.match(/\b[a-z_]+(?==~?")/g) ?? [];
    expect(asked.length).toBeGreaterThan(5);
    expect(labels.length).toBeGreaterThan(5);
    const names = [...known, ...Object.values(attribute).map(prometheusLabel)];
    const bare = asked.map((name) => name.replace(/_(?:count|sum|bucket)$/, ''));
    expect(bare.filter((name) => !names.includes(name))).toEqual([]);
    const ofScrape = ['job', 'instance', 'engine'];
    expect(labels.filter((label) => ![...names, ...ofScrape].includes(label))).toEqual([]);
  });

  it('fire when they should and not when they should not', async () => {
    expect((await promtool('test', 'rules', 'parley.test.yaml')).stdout).toContain('SUCCESS');
  });

  it.each(names)('%s is missed by the tests when it is not there', async (name) => {
    expect(await tested(rules.replace(`- alert: ${name}\n`, '- alert: Other\n'))).toBe(false);
  });

  const windows = [...rules.matchAll(/expr: (\S+1m > \S+) and (\S+5m > \S+)/g)].flatMap(
    ([both, short = '', long = '']) => [
      [short, both, `expr: ${long}`],
      [long, both, `expr: ${short}`],
    ],
  );
  it('burn a budget in two windows, of every service and of the orders', () => {
    expect(windows).toHaveLength(4);
  });
  it.each(windows)('%s is missed by the tests when it is not asked for', async (_window, both, without) => {
    expect(await tested(rules.replace(both, without))).toBe(false);
  });
});
