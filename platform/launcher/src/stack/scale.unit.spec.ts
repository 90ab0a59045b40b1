import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exitCodes } from '../cli/exit.ts';
import { runFiles } from './context.ts';
import { changeScale, instancesMax, oneOfEach } from './scale.ts';
import { readScale, watchScale, writeScale } from './scale-file.ts';

describe('a scale', () => {
  it('is changed for the services that are named, and for no other', () => {
    const three = changeScale(oneOfEach, 'product=3, payment=2');
    expect(three).toEqual({ ...oneOfEach, product: ['dev', 'dev', 'dev'], payment: ['dev', 'dev'] });
    expect(changeScale(three, 'product=1')).toEqual({ ...oneOfEach, payment: ['dev', 'dev'] });
  });

  it('gives the version to instances that are added, and those that stay keep theirs', () => {
    const canary = changeScale(oneOfEach, 'payment=2', 'v2');
    expect(canary.payment).toEqual(['dev', 'v2']);
    expect(changeScale(canary, 'payment=3').payment).toEqual(['dev', 'v2', 'dev']);
  });

  it.each([
    '',
    'product',
    'product=0',
    'product=9',
    'product=two',
    'product=1e0',
    'product=1=2',
    'gateway=2',
  ])('%j is refused with exit code 2', (typed) => {
    expect(() => changeScale(oneOfEach, typed)).toThrow(
      expect.objectContaining({ exitCode: exitCodes.usage }),
    );
  });

  it('with a version that cannot be a header or a file name is refused', () => {
    expect(() => changeScale(oneOfEach, 'product=2', 'a b')).toThrow(
      expect.objectContaining({ exitCode: exitCodes.usage }),
    );
  });
});

describe('the scale of a run folder', () => {
  let runDir: string;
  beforeEach(() => {
    runDir = mkdtempSync(join(tmpdir(), 'parley-scale-'));
  });
  afterEach(() => {
    rmSync(runDir, { recursive: true, force: true });
  });

  it('is one of each until another one was written', async () => {
    expect(readScale(runDir)).toEqual(oneOfEach);
    const scale = changeScale(oneOfEach, 'order=2');
    await writeScale(runDir, scale);
    expect(readScale(runDir)).toEqual(scale);
  });

  it.each(['', '[]', '{"order":[]}', `{"order":${JSON.stringify(Array(instancesMax + 1).fill('dev'))}}`])(
    'is one of each when somebody wrote %j',
    (text) => {
      writeFileSync(runFiles(runDir).scale, text);
      expect(readScale(runDir)).toEqual(oneOfEach);
    },
  );

  it('is told whenever it changes', async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const end = watchScale(runDir, oneOfEach, resolve);
    const scale = changeScale(oneOfEach, 'order=2');
    await writeScale(runDir, scale);
    expect(await promise).toEqual(scale);
    end();
  });
});
