/** Today's read models against every time capsule: they must come to the state that the release recorded. */
import { join } from 'node:path';
import * as queues from '@parley/contracts/queues';
import { z } from 'zod';
import {
  capsulePaths,
  recordedMessages,
  recordedState,
  replayCapsule,
  type CapsuleState,
  type RecordedMessage,
  type ReplayedProjection,
} from '../capsule.ts';
import { isObject } from '../json-schema/accepts.ts';
import type { AnyProjection } from '../projections.ts';
import type { Release } from '../released.ts';
import { CURRENT, type CheckResult, type Finding } from '../report.ts';

const DIFFERENCES_MAX = 20;

/** Where a value lost or changed something that was recorded. What it gained is fine: a read model may grow. */
function differences(recorded: unknown, today: unknown, path: string): readonly string[] {
  if (Array.isArray(recorded) && Array.isArray(today)) {
    if (recorded.length !== today.length)
      return [`${path} had ${recorded.length} items, has ${today.length}`];
    return recorded.flatMap((item, index) => differences(item, today[index], `${path}[${index}]`));
  }
  if (isObject(recorded) && isObject(today))
    return Object.entries(recorded).flatMap(([name, value]) =>
      differences(value, today[name], `${path}.${name}`),
    );
  const [was, is] = [JSON.stringify(recorded), JSON.stringify(today)];
  return was === is ? [] : [`${path} was ${was}, is ${today === undefined ? 'absent' : is}`];
}

/** What differs between what was recorded and what today's read model made of the same log. */
function compareReplay(
  name: string,
  recorded: ReplayedProjection,
  today: ReplayedProjection,
): readonly string[] {
  const counts = differences(recorded.counts, today.counts, `${name} counts`);
  if (recorded.stateHash === today.stateHash) return counts;
  if (recorded.rows.length !== today.rows.length)
    return [...counts, `${name} had ${recorded.rows.length} rows, has ${today.rows.length}`];
  const rows = recorded.rows.flatMap((row, index) => {
    const label = String(Object.values(row)[0]);
    return differences(row, today.rows[index], `${name}[${label}]`);
  });
  return [...counts, ...rows];
}

function messageProblems(message: RecordedMessage): readonly string[] {
  const type = String(message.properties.type);
  const schema: unknown = Object.entries<unknown>(queues).find(([name]) => name === type)?.[1];
  if (!(schema instanceof z.ZodType)) return [`${type}: there is no such message any more`];
  const parsed = schema.safeParse(JSON.parse(Buffer.from(message.bodyBase64, 'base64').toString('utf8')));
  return parsed.success
    ? []
    : parsed.error.issues.map(({ path, message: why }) => `${type}.${path.join('.')}: ${why}`);
}

async function checkCapsule(
  release: Release,
  recorded: CapsuleState,
  projections: readonly AnyProjection[] | undefined,
): Promise<readonly Finding[]> {
  const finding = (contract: string, rule: string, broke: string): Finding => ({
    contract,
    rule: `capsule/${rule}`,
    versions: { released: release.version, current: CURRENT },
    broke,
    remedy:
      'The log of a customer holds such records: fold and decode them as before (an upcaster, a default, the old case).',
  });
  const today = await replayCapsule(join(release.dir, capsulePaths.log), projections);
  const replayed = Object.entries(recorded).flatMap(([name, before]): Finding[] => {
    const now = today[name];
    if (now === undefined) return [finding(`projection ${name}`, 'projection-removed', `${name} is gone`)];
    return compareReplay(name, before, now)
      .slice(0, DIFFERENCES_MAX)
      .map((broke) => finding(`projection ${name}`, 'state', broke));
  });
  const messages = recordedMessages(release.dir)
    .flatMap(messageProblems)
    .slice(0, DIFFERENCES_MAX)
    .map((broke) => finding('queue messages', 'message', broke));
  return [...replayed, ...messages];
}

/** Replays the capsule of every release. A release without one is a finding: nothing would be proven. */
export async function checkCapsules(
  releases: readonly Release[],
  projections?: readonly AnyProjection[],
): Promise<CheckResult> {
  const findings: Finding[] = [];
  let compared = 0;
  for (const release of releases) {
    const recorded = recordedState(release.dir);
    if (recorded === undefined) {
      findings.push({
        contract: `release ${release.version}`,
        rule: 'capsule/missing',
        versions: { released: release.version, current: CURRENT },
        broke: `contracts/released/${release.version} has no ${capsulePaths.state}`,
        remedy: 'Restore the capsule that the release was made with.',
      });
      continue;
    }
    compared += Object.keys(recorded).length + recordedMessages(release.dir).length;
    findings.push(...(await checkCapsule(release, recorded, projections)));
  }
  return { check: 'time capsules', compared, findings };
}
