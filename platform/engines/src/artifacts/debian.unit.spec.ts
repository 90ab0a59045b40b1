import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { debianPackage, fixFor, maven, withoutServices } from './debian.ts';
import { run } from './run.ts';

const install = 'apt-get install -y --no-install-recommends rabbitmq-server maven';

it.each([
  [{ isRoot: true, hasSudo: false }, `apt-get update && ${install}`],
  [{ isRoot: true, hasSudo: true }, `apt-get update && ${install}`],
  [{ isRoot: false, hasSudo: true }, `sudo apt-get update && sudo ${install}`],
  [{ isRoot: false, hasSudo: false }, `su -c 'apt-get update && ${install}'`],
])('what is missing comes by one command that works with the rights there are: %j', (rights, command) => {
  expect(
    fixFor([debianPackage('rabbitmq', { package: 'rabbitmq-server', file: '/nowhere' }), maven], rights),
  ).toBe(command);
});

describe('an installation', () => {
  const folder = mkdtempSync(join(tmpdir(), 'parley-policy-'));
  const policy = join(folder, 'policy-rc.d');
  const paths = { policy, lock: join(folder, 'lock') };
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });
  beforeEach(() => {
    rmSync(policy, { force: true });
  });
  const install = async (script: string): Promise<string> => {
    const [command, ...args] = withoutServices(['sh', '-c', script], paths);
    return run(command, args, { deadlineMs: 10_000 });
  };
  const askPolicy = `${policy} rabbitmq-server start; echo $?`;

  it('starts no service of the system while it runs, and leaves no policy behind', async () => {
    expect((await install(askPolicy)).trim()).toBe('101');
    expect(existsSync(policy)).toBe(false);
  });

  it('leaves no policy behind when it fails, and tells so', async () => {
    await expect(install('exit 100')).rejects.toThrow(/ended with 100/);
    expect(existsSync(policy)).toBe(false);
  });

  it('keeps the policy that the machine has', async () => {
    writeFileSync(policy, '#!/bin/sh\nexit 0\n', { mode: 0o755 });
    expect((await install(askPolicy)).trim()).toBe('0');
    expect(readFileSync(policy, 'utf8')).toBe('#!/bin/sh\nexit 0\n');
  });

  it('removes the policy that a killed installation left', async () => {
    await install(`cp ${policy} ${policy}.left`);
    renameSync(`${policy}.left`, policy);
    expect((await install(askPolicy)).trim()).toBe('101');
    expect(existsSync(policy)).toBe(false);
  });
});
