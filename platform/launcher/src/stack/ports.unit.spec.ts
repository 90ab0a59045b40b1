import { fetchRefuses } from '@parley/engines';
import { describe, expect, it } from 'vitest';
import { exitCodes } from '../cli/exit.ts';
import { contextFrom } from './context.ts';
import { instancesMax, oneOfEach, type Scale } from './scale.ts';
import { otherBase, outgoingWarning, portsOfStack, refusalOfBase } from './ports.ts';

const eight = Array.from({ length: instancesMax }, () => 'dev');
const full: Scale = {
  ...oneOfEach,
  order: eight,
  product: eight,
  payment: eight,
  notification: eight,
  shipping: eight,
};

describe('a port base', () => {
  it.each([
    ['10000', 'puts gateway on port 10080'],
    [String(10_080 - 122), 'puts payment.ops on port 10080'],
    [String(6000 - 100), 'puts order.http on port 6000'],
    ['1023', 'whole number from 1024 to 65335'],
    ['65336', 'whole number from 1024 to 65335'],
    ['4000.5', 'whole number'],
    ['four', 'whole number'],
    ['', 'whole number'],
  ])('%j is refused with exit code 3, the reason and another one', (portBase, reason) => {
    const refused = (): unknown => contextFrom({ PARLEY_PORT_BASE: portBase });
    expect(refused).toThrow(
      expect.objectContaining({
        exitCode: exitCodes.environment,
        message: expect.stringMatching(new RegExp(`${reason}.*PARLEY_PORT_BASE=\\d+`)) as string,
      }),
    );
  });

  it('that is allowed has only ports from 1024 to 65535, all different', () => {
    for (const portBase of [1024, 4000, 23_000, 65_335]) {
      expect(refusalOfBase(portBase)).toBeUndefined();
      const ports = [...portsOfStack({ portBase }).values()];
      expect(new Set(ports).size).toBe(ports.length);
      expect(Math.min(...ports)).toBeGreaterThanOrEqual(1024);
      expect(Math.max(...ports)).toBeLessThanOrEqual(65_535);
    }
  });

  it('has room for as many instances as a service may have, below the next thousand and away from the engines', () => {
    const first = [...portsOfStack({ portBase: 4000 }).values()];
    const ports = [...portsOfStack({ portBase: 4000 }, full).values()];
    expect(ports).toHaveLength(first.length + (instancesMax - 1) * 12);
    expect(new Set(ports).size).toBe(ports.length);
    const further = ports.filter((port) => !first.includes(port));
    expect(Math.min(...further)).toBe(4400);
    expect(Math.max(...further)).toBeLessThan(5000);
  });

  it('that has no room for more instances is refused with them only', () => {
    expect(refusalOfBase(65_335)).toBeUndefined();
    expect(refusalOfBase(65_335, full)).toMatch(/^puts order-2\.http on port 65735, beyond 65535/);
    expect(refusalOfBase(5600)).toBeUndefined();
    expect(refusalOfBase(5600, full)).toMatch(/^puts order-2\.http on port 6000, which fetch/);
  });

  it('that puts any part of a stack on a port that fetch refuses is refused', () => {
    const offsets = [...portsOfStack({ portBase: 4000 })].map(([, port]) => port - 4000);
    const meeting = [...fetchRefuses].flatMap((port) => offsets.map((offset) => port - offset));
    expect(meeting.length).toBeGreaterThan(300);
    expect(meeting.filter((base) => refusalOfBase(base) === undefined)).toEqual([]);
  });

  it('that is offered instead is allowed, and another one', () => {
    for (const base of [4000, 9000, 10_000, 31_000, 65_000]) {
      expect(otherBase(base)).not.toBe(base);
      expect(refusalOfBase(otherBase(base))).toBeUndefined();
    }
    expect(otherBase(9000)).toBe(11_000);
  });

  it('whose ports an outgoing connection may hold is told so', () => {
    const range = [32_768, 60_999] as const;
    expect(outgoingWarning({ portBase: 4000 }, range)).toBeUndefined();
    expect(outgoingWarning({ portBase: 40_000 }, range)).toContain('32768 to 60999');
    expect(outgoingWarning({ portBase: 32_600 }, range)).toMatch(/^\d+ ports/);
  });
});
