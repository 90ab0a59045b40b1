import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { killLeftovers } from '../src/leftovers.ts';
import { obtainAll } from '../src/obtain.ts';
import { claimEnginePorts, type PortClaim } from '../src/port-claim.ts';
import { portsFor } from '../src/ports.ts';
import { processesOf } from '../src/process.ts';
import { startReady } from '../src/start.ts';
import { bareEnvoy } from './index.ts';

let claim: PortClaim;
let runDir: string;
beforeAll(async () => {
  await obtainAll({ only: ['envoy'] });
  claim = await claimEnginePorts();
  runDir = mkdtempSync(join(tmpdir(), 'parley-engines-'));
});
afterAll(async () => {
  await killLeftovers(runDir);
  await claim.release();
  rmSync(runDir, { recursive: true, force: true });
});

const start = (endedEarly: (error: Error) => void) => {
  const configPath = join(runDir, 'envoy.yaml');
  writeFileSync(configPath, 'no: configuration');
  return startReady('envoy', { runDir, ports: portsFor(claim.base), configPath }, { endedEarly });
};

it('an engine that ends before it is ready is started once more', async () => {
  const said: string[] = [];
  const engine = await start(({ message }) => {
    said.push(message);
    writeFileSync(join(runDir, 'envoy.yaml'), bareEnvoy(portsFor(claim.base)));
  });
  expect(said).toEqual([expect.stringContaining('envoy ended before it was ready')]);
  await engine.stop();
});

it('one that ends again is an error with its last lines, and leaves no process', async () => {
  const said: Error[] = [];
  await expect(start((error) => said.push(error))).rejects.toThrow(/envoy ended before it was ready:\n.*no/s);
  expect(said).toHaveLength(1);
  expect(processesOf(runDir, 'envoy')).toEqual([]);
});
