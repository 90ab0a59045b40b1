/** Events that a reaction fails on, or whose call takes too long. */
import type { LogPosition, ReactionStatus } from '../ports.ts';

export type Stalled = NonNullable<ReactionStatus['stalled']>;

export class Obstacles {
  /** Events whose call failed and is to be repeated in this turn: as many as are handled at the same time. */
  readonly failing = new Map<string, Stalled>();
  /** Events whose call goes on past its deadline, until it ends, whichever turn it was made in. */
  readonly overdue = new Map<string, Stalled>();
  /** First events of partitions whose claim in the dead letters failed and is to be made again, by partition. */
  readonly unclaimed = new Map<number, Stalled>();

  /** The one that was tried most. */
  get worst(): Stalled | undefined {
    let worst: Stalled | undefined;
    for (const each of [...this.failing.values(), ...this.overdue.values(), ...this.unclaimed.values()])
      if (worst === undefined || each.attempt > worst.attempt) worst = each;
    return worst;
  }

  onUnclaimed(position: LogPosition, error: unknown): void {
    const { partition } = position;
    const attempt = (this.unclaimed.get(partition)?.attempt ?? 0) + 1;
    this.unclaimed.set(partition, { position, attempt, error: String(error) });
  }

  /** One sentence on the worst of them. Not its error, which may quote the event: that is in the log of the process. */
  describe(group: string): string | undefined {
    const { worst } = this;
    if (worst === undefined) return undefined;
    const { topic, partition, offset } = worst.position;
    const at = `${topic}/${String(partition)}@${String(offset)}`;
    return `the reaction ${group} to handle ${at}, at attempt ${String(worst.attempt)}`;
  }
}
