import { describe, expect, it } from 'vitest';
import { portsFor, portSpan } from './ports.ts';

describe('ports of a stack', () => {
  it('are distinct and lie within the span, so that stacks a span apart never meet', () => {
    const ports = Object.values(portsFor(4000));
    expect(new Set(ports).size).toBe(ports.length);
    for (const port of ports)
      expect(port - 4000).toSatisfy((offset: number) => offset >= 0 && offset < portSpan);
  });

  it.each([1023, 65_336, 4000.5, Number.NaN])('refuses the base %s', (base) => {
    expect(() => portsFor(base)).toThrow(RangeError);
  });
});
