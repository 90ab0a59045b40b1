import { z } from 'zod';
import { removeNamespacesOf, untilNamespacesAreEmpty } from './namespaces.ts';

/* Removes the namespaces of a launcher that is gone: see guard.ts. The hub ends what it started when it sees the same. */
const owner = z.object({ pid: z.int(), startTicks: z.int() }).parse(JSON.parse(process.argv[2] ?? ''));
/** Three times what the hub takes to stop everything, one after the other. */
const hubGraceMs = 45_000;

await untilNamespacesAreEmpty(owner, hubGraceMs);
await removeNamespacesOf(owner);
