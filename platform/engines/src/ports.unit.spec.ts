import { describe, expect, it } from 'vitest';
import { fetchRefuses, portsFor, portSpan } from './ports.ts';

describe('ports of a stack', () => {
  it('are distinct and lie within the span, so that stacks a span apart never meet', () => {
    const ports = Object.values(portsFor(4000));
    expect(new Set(ports).size).toBe(ports.length);
    for (const port of ports)
      expect(port - 4000).toSatisfy((offset: number) => offset > 0 && offset < portSpan);
  });

  it.each([1023, 65_336, 4000.5, Number.NaN])('refuses the base %s', (base) => {
    expect(() => portsFor(base)).toThrow(RangeError);
  });

  it('refuses a base that puts an engine on a port that fetch refuses, and names both', () => {
    expect(() => portsFor(10_000)).toThrow('puts gateway on port 10080');
    expect(() => portsFor(10_080 - 194)).toThrow('puts zipkin on port 10080');
  });

  it.each([...fetchRefuses])('fetch does refuse port %s', async (port) => {
    const refused: unknown = await fetch(`http://127.0.0.1:${port}/`).catch((error: unknown) => error);
    expect(refused).toMatchObject({ cause: { message: 'bad port' } });
  });
});
