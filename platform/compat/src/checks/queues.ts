import type { Contracts } from '../contract-files.ts';
import { breakingChanges, describeChange } from '../json-schema/changes.ts';
import { CURRENT, type CheckResult, type Finding } from '../report.ts';

/**
 * Queue messages: an old message may wait in a queue for a new consumer, and a new producer may be ahead of an old
 * consumer, so each side must accept what the other makes.
 */
export function checkQueues(current: Contracts, releases: readonly Contracts[]): CheckResult {
  let compared = 0;
  const findings = releases.flatMap((release) =>
    [...release.queueMessages].flatMap(([type, released]): Finding[] => {
      compared++;
      const finding = (rule: string, broke: string, remedy: string): Finding => ({
        contract: `queue ${type}`,
        rule: `queue/${rule}`,
        versions: { released: release.version, current: CURRENT },
        broke,
        remedy,
      });
      const today = current.queueMessages.get(type);
      if (today === undefined) {
        const remedy =
          'Keep the message until no queue can hold one, then release a version without its consumer.';
        return [finding('removed', `${type} is gone; a queue may still hold one`, remedy)];
      }
      const before = { schema: released, root: released };
      return breakingChanges(before, { schema: today, root: today }, 'message').map((change) =>
        finding(
          change.rule,
          `${type}.${describeChange(change)}`,
          'Add an optional field instead, or a new message type on a queue of its own.',
        ),
      );
    }),
  );
  return { check: 'queue messages', compared, findings };
}
