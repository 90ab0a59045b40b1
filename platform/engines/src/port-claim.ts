import { once } from 'node:events';
import { createServer } from 'node:net';
import { isFree } from './port-holders.ts';
import { portsFor, portSpan } from './ports.ts';

/** A port base that is one process's alone among all that claim theirs here. */
export interface PortClaim {
  readonly base: number;
  release(): Promise<void>;
}

/**
 * Listens on the base itself, which no part of a stack uses. The kernel lets one process do that at a time and ends it
 * with the process, however that ends: there is no file that could be stale. Undefined when somebody else does.
 */
const claim = async (base: number): Promise<PortClaim | undefined> => {
  const server = createServer((socket) => socket.destroy());
  try {
    server.listen({ port: base, host: '127.0.0.1', exclusive: true });
    await once(server, 'listening');
  } catch {
    return undefined;
  }
  server.unref(); // holding a claim keeps no process alive
  return {
    base,
    release: async () => {
      if (!server.listening) return;
      server.close();
      await once(server, 'close');
    },
  };
};

/**
 * Claims the first of the bases that nobody claims and of which every port is free, until it is released or this process
 * ends. Two processes that ask at once never get the same. Undefined when there is none.
 */
export const claimPortBase = async (
  bases: Iterable<number>,
  portsOf: (base: number) => Iterable<number>,
): Promise<PortClaim | undefined> => {
  for (const base of bases) {
    const claimed = await claim(base);
    if (claimed === undefined) continue;
    const free = await Promise.all([...portsOf(base)].map(isFree));
    if (free.every(Boolean)) return claimed;
    await claimed.release();
  }
  return undefined;
};

const basesMax = 50;
const firstBase = 30_000;

/** Candidates for a base: the first one depends on the pid, so that parallel runs seldom have to look twice. */
function* bases(): Generator<number> {
  for (let tries = 0; tries < basesMax; tries++)
    yield firstBase - portSpan * (((process.pid % basesMax) + tries) % basesMax);
}

/** Claims a base for engines alone, below the ports that the system gives out. Throws when 50 tries find none. */
export const claimEnginePorts = async (): Promise<PortClaim> => {
  const claim = await claimPortBase(bases(), (base) => Object.values(portsFor(base)));
  if (claim === undefined) throw new Error(`no free block of ports in ${basesMax} tries`);
  return claim;
};
