/** What the source says of the producers, against what a recorded run shows. */
import { join } from 'node:path';
import { serviceNames } from '@parley/contracts/endpoints';
import { logHeaders, scanLogFile } from '@parley/event-log';
import { capsulePaths } from '../capsule.ts';
import type { ServiceWiring } from '../documents/wiring.ts';
import type { Release } from '../released.ts';
import { CURRENT, type CheckResult, type Finding } from '../report.ts';

/** Event type and the service that wrote it, as the headers of the records say. */
async function observed(path: string): Promise<ReadonlySet<string>> {
  const seen = new Set<string>();
  await scanLogFile(path, {
    onRecords: (records) => {
      for (const { record } of records) {
        const source = String(record.headers?.[logHeaders.source]).replace(/^\/parley\//, '');
        if (serviceNames.some((service) => service === source))
          seen.add(`${String(record.headers?.[logHeaders.type])} ${source}`);
      }
    },
  });
  return seen;
}

/** Every event of the latest capsule was written by the service that the catalogue names. */
export async function checkWiring(
  wiring: readonly ServiceWiring[],
  releases: readonly Pick<Release, 'dir' | 'version'>[],
): Promise<CheckResult> {
  const latest = releases.at(-1);
  if (latest === undefined) return { check: 'observed wiring', compared: 0, findings: [] };
  const seen = [...(await observed(join(latest.dir, capsulePaths.log)))];
  const findings = seen.flatMap((line): Finding[] => {
    const [type = '', source = ''] = line.split(' ');
    const declared = wiring.filter(({ produces }) => produces.includes(type)).map(({ service }) => service);
    if (declared.some((service) => service === source)) return [];
    return [
      {
        contract: `event ${type}`,
        rule: 'wiring/producer',
        versions: { released: latest.version, current: CURRENT },
        broke: `${type} was written by ${source} in the recorded run; the source says ${declared.join(', ') || 'nobody'}`,
        remedy: 'An event keeps its producer; when it really moved, release a capsule that shows it.',
      },
    ];
  });
  return { check: 'observed wiring', compared: seen.length, findings };
}
