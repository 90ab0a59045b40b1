import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brokersIn } from '@parley/engines';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { exitCodes } from '../cli/exit.ts';
import { endpointsOf } from '../stack/addresses.ts';
import { contextFrom, enginesOf } from '../stack/context.ts';
import { portsOfStack } from '../stack/ports.ts';
import { withBrokersFrom } from './brokers-option.ts';

let runDir: string;
beforeEach(() => {
  runDir = mkdtempSync(join(tmpdir(), 'parley-brokers-'));
});
afterEach(() => {
  rmSync(runDir, { recursive: true });
});

const stack = (brokers?: string) =>
  withBrokersFrom({ brokers }, { ...contextFrom({}), runDir, portBase: 4000 });
const countOf = (brokers?: string): number => brokersIn(enginesOf(stack(brokers)));

/** Leaves what a stack with that many brokers leaves. */
const leaveData = (voters: string): void => {
  mkdirSync(join(runDir, 'kafka', 'data'), { recursive: true });
  writeFileSync(join(runDir, 'kafka', 'data', 'meta.properties'), '');
  writeFileSync(join(runDir, 'kafka', 'server.properties'), `controller.quorum.voters=${voters}\n`);
};

it('a new stack has one broker, or three, each of which clients are told of', () => {
  expect([countOf(), countOf('1'), countOf('3')]).toEqual([1, 1, 3]);
  expect(endpointsOf(stack()).kafka.bootstrap).toBe('127.0.0.1:4192');
  expect(endpointsOf(stack('3')).kafka.bootstrap).toBe('127.0.0.1:4192,127.0.0.1:4186,127.0.0.1:4188');
  expect(portsOfStack(stack()).has('kafka2')).toBe(false);
  expect(portsOfStack(stack('3')).get('kafka3Controller')).toBe(4189);
});

it.each(['2', '0', 'many', ''])('--brokers %j is wrong usage', (typed) => {
  expect(() => stack(typed)).toThrow(expect.objectContaining({ exitCode: exitCodes.usage }) as Error);
});

it('a run folder with data keeps its number of brokers, and another one is refused with what to do', () => {
  leaveData('1@127.0.0.1:4193,2@127.0.0.1:4187,3@127.0.0.1:4189');
  expect([countOf(), countOf('3')]).toEqual([3, 3]);
  expect(() => stack('1')).toThrow(/that of 3 Kafka brokers, and --brokers asks for 1\. .*npm run clean/);
  leaveData('1@127.0.0.1:4193');
  expect(countOf()).toBe(1);
  expect(() => stack('3')).toThrow(expect.objectContaining({ exitCode: exitCodes.environment }) as Error);
});
