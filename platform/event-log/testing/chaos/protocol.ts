/** What the chaos test and its writer processes tell each other. */
import type { TopicDurability } from '../../src/kafka/topic-settings.ts';

/** The one argument of a writer process, as JSON. */
export interface WriterOrder {
  readonly name: string;
  readonly seed: number;
  readonly bootstrap: string;
  readonly registryUrl: string;
  readonly topic: string;
  readonly durability: TopicDurability;
  readonly streams: number;
  /** Commands that it has under way at a time. */
  readonly loops: number;
  /** One JSON line for each outcome, written once it is known. */
  readonly outcomes: string;
}

export interface OutcomeLine {
  readonly commitId: string;
  readonly streamId: string;
  readonly by: 'append' | 'execute';
  readonly events: number;
  readonly kind: string;
  /** Times that the same commit was sent again because its fate was unknown. */
  readonly repeated: number;
}

export const streamName = (index: number): string => `chaos-${index}`;
