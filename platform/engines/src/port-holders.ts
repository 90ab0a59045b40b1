import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';

/** Whether something could listen on this port of 127.0.0.1 now. */
export const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.on('error', () => {
      resolve(false);
    });
    server.listen(port, '127.0.0.1', () => {
      server.close(() => {
        resolve(true);
      });
    });
  });

/** The process that listens on a port. */
export interface PortHolder {
  readonly pid: number;
  /** Its command line, shortened. */
  readonly command: string;
}

const listening = '0A';
const commandLengthMax = 80;

const quietly = <T>(look: () => T): T | undefined => {
  try {
    return look();
  } catch {
    return undefined; // the process ended while it was looked at, or belongs to somebody else
  }
};

/** Inodes of the sockets that listen on a port, as the kernel lists them. */
const listenersOn = (port: number): Set<string> => {
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  const rows = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap(
    (file) =>
      quietly(() => readFileSync(file, 'utf8'))
        ?.split('\n')
        .slice(1) ?? [],
  );
  const inodes = rows.flatMap((row) => {
    const [, local, , state, , , , , , inode] = row.trim().split(/\s+/);
    return local?.endsWith(`:${hexPort}`) === true && state === listening && inode !== undefined
      ? [inode]
      : [];
  });
  return new Set(inodes);
};

/** Who listens on a port; undefined when nobody does, or when it is a process that this user may not look at. */
export const holderOfPort = (port: number): PortHolder | undefined => {
  const links = new Set([...listenersOn(port)].map((inode) => `socket:[${inode}]`));
  if (links.size === 0) return undefined;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const descriptors = quietly(() => readdirSync(`/proc/${pid}/fd`)) ?? [];
    const holds = (fd: string): boolean =>
      links.has(quietly(() => readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? '');
    if (!descriptors.some(holds)) continue;
    const words = quietly(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'))?.split('\0') ?? [];
    return {
      pid: Number(pid),
      command: words.join(' ').replaceAll(/\s+/g, ' ').trim().slice(0, commandLengthMax),
    };
  }
  return undefined;
};
