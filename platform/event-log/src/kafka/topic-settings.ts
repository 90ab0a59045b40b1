/**
 * What the topics of a log are made with, and what they have to have.
 *
 * A topic that exists keeps its settings, whoever made it. One that expires or is compacted loses accepted commits in
 * silence, and the readers that start later fold another history than those that run, so it is refused.
 */
import kafkajs, { type Admin } from 'kafkajs';
import type { DeclaredTopic, TopicFault } from '../log/transport.ts';

/** How many copies there are of what is accepted. */
export interface TopicDurability {
  /** Copies of each partition. Default: what the brokers have as `default.replication.factor`. */
  readonly replicationFactor?: number | undefined;
  /** Copies that have a record before it is acknowledged. Default: what the brokers have as `min.insync.replicas`. */
  readonly minInSyncReplicas?: number | undefined;
}

/** @throws RangeError for copies that there cannot be */
export function assertDurability({ replicationFactor, minInSyncReplicas }: TopicDurability): void {
  for (const [name, copies] of Object.entries({ replicationFactor, minInSyncReplicas }))
    if (copies !== undefined && (!Number.isInteger(copies) || copies < 1))
      throw new RangeError(`${name} must be a whole number from 1, not ${String(copies)}`);
  // With more required than there are, nothing is acknowledged, or it is with fewer copies than were asked for.
  if ((minInSyncReplicas ?? 1) > (replicationFactor ?? Number.POSITIVE_INFINITY))
    throw new RangeError(
      `minInSyncReplicas must be at most replicationFactor, ${String(replicationFactor)}, not ${String(minInSyncReplicas)}`,
    );
}

/** What to do about it, in words that end a message. */
const MENDING =
  'Alter the topics (kafka-configs.sh; copies: kafka-reassign-partitions.sh), or ask for less where less is meant: services take KAFKA_REPLICATION_FACTOR and KAFKA_MIN_INSYNC_REPLICAS';

/** Topics are there with settings that the log is not built on; final until someone changes the topics or what is declared. */
export class TopicsRefused extends Error {
  override readonly name = 'TopicsRefused';
  /** What a process ends with that cannot start for it: what is outside does not fit this release. */
  readonly exitCode = 3;
  readonly faults: readonly TopicFault[];

  constructor(faults: readonly TopicFault[]) {
    const texts = faults.map(
      ({ topic, setting, is, shouldBe }) => `${topic}: ${setting} is ${is} and should be ${shouldBe}`,
    );
    super(`${texts.join('; ')}. ${MENDING}`);
    this.faults = faults;
  }
}

const IN_SYNC = 'min.insync.replicas';

/** Event topics are kept for ever, record for record, and a broker that has missed some of them never leads. */
const settingsOf = ({ minInSyncReplicas }: TopicDurability): readonly (readonly [string, string])[] => [
  ['cleanup.policy', 'delete'],
  ['retention.ms', '-1'],
  ['retention.bytes', '-1'],
  ['unclean.leader.election.enable', 'false'],
  ...(minInSyncReplicas === undefined ? [] : [[IN_SYNC, String(minInSyncReplicas)] as const]),
];

/**
 * A broker that keeps the topic unpacked packs nothing that it hands out, and refuses a batch that would unpack to more than
 * a batch may have. It is no fault when it is otherwise, as batches of every codec are read (codecs/), up to a size.
 */
const UNPACKED: readonly [string, string] = ['compression.type', 'uncompressed'];

/** What a broker answers that does not let this client see the settings, or has no such question. */
const untold = new Set([
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'UNSUPPORTED_VERSION',
  'KafkaJSServerDoesNotSupportApiKey',
]);

const isUntold = (error: unknown): boolean =>
  error instanceof Error &&
  (untold.has(error.name) || ('type' in error && typeof error.type === 'string' && untold.has(error.type)));

export type TopicAdmin = Pick<
  Admin,
  'createTopics' | 'describeConfigs' | 'fetchTopicMetadata' | 'listTopics'
>;

/** What kafkajs gathers for each topic that was not made; its types do not tell. */
interface TopicFailure {
  readonly topic: string;
  readonly type: string;
  readonly message: string;
}

const isTopicFailure = (error: string | Error | TopicFailure): error is TopicFailure =>
  typeof error === 'object' && 'topic' in error && 'type' in error;

/**
 * Makes the topics that are missing, with every setting written out; those that exist stay as they are.
 * @throws Error that names each topic that cannot be made now, such as one of more copies than there are brokers
 */
export async function makeTopics(
  admin: Pick<TopicAdmin, 'createTopics'>,
  topics: readonly DeclaredTopic[],
  durability: TopicDurability,
): Promise<void> {
  const wanted = topics.map(({ name, partitions, batchBytesMax }) => ({
    topic: name,
    numPartitions: partitions,
    replicationFactor: durability.replicationFactor ?? -1,
    configEntries: [
      ...settingsOf(durability),
      UNPACKED,
      ...(batchBytesMax === undefined ? [] : [['max.message.bytes', String(batchBytesMax)] as const]),
    ].map(([setting, value]) => ({ name: setting, value })),
  }));
  try {
    await admin.createTopics({ waitForLeaders: true, topics: wanted });
  } catch (error) {
    if (!(error instanceof kafkajs.KafkaJSAggregateError)) throw error;
    const failed: readonly (string | Error | TopicFailure)[] = error.errors;
    const texts = failed
      .filter((each) => isTopicFailure(each))
      .filter(({ type }) => type !== 'TOPIC_ALREADY_EXISTS')
      .map(({ topic, message }) => `${topic} cannot be made: ${message}`);
    throw new Error(texts.join('; '), { cause: error });
  }
}

/**
 * Looks at the settings of topics that exist. More copies than are declared are no fault: there are more for a while when
 * replicas are moved, and afterwards when somebody wants more.
 * @throws TopicsRefused
 */
export async function checkTopics(
  admin: Pick<TopicAdmin, 'describeConfigs' | 'fetchTopicMetadata'>,
  topics: readonly DeclaredTopic[],
  durability: TopicDurability,
): Promise<TopicsLook> {
  const seen = await lookAtTopics(admin, topics, durability);
  if (seen.faults.length > 0) throw new TopicsRefused(seen.faults);
  return seen;
}

/** What topics that exist are. */
export interface TopicsLook {
  readonly faults: readonly TopicFault[];
  /** What is not as it should be and can be lived with. */
  readonly advice: readonly TopicFault[];
  /** Whether the brokers told the settings: one that is secured may not. When not, `faults` has sizes only. */
  readonly areTold: boolean;
}

/** Looks at topics that exist. @throws Error when the brokers do not answer, or do not know one of them */
export async function lookAtTopics(
  admin: Pick<TopicAdmin, 'describeConfigs' | 'fetchTopicMetadata'>,
  topics: readonly DeclaredTopic[],
  durability: TopicDurability,
): Promise<TopicsLook> {
  if (topics.length === 0) return { faults: [], advice: [], areTold: true };
  const sizes = await wrongSizes(admin, topics, durability);
  const settings = await wrongSettings(admin, topics, durability);
  const isAdvice = ({ setting }: TopicFault): boolean => setting === UNPACKED[0];
  return {
    faults: [...sizes, ...(settings ?? []).filter((fault) => !isAdvice(fault))],
    advice: (settings ?? []).filter(isAdvice),
    areTold: settings !== undefined,
  };
}

/** As `lookAtTopics`, of topics that were there: one that somebody has deleted is a fault, and the others are looked at. */
export async function lookAgain(
  admin: Pick<TopicAdmin, 'describeConfigs' | 'fetchTopicMetadata' | 'listTopics'>,
  topics: readonly DeclaredTopic[],
  durability: TopicDurability,
): Promise<TopicsLook> {
  const names = new Set(await admin.listTopics());
  const gone = topics.filter(({ name }) => !names.has(name));
  const there = topics.filter(({ name }) => names.has(name));
  const { faults, ...look } = await lookAtTopics(admin, there, durability);
  const deleted = gone.map(({ name }) => ({
    topic: name,
    setting: 'topic',
    is: 'deleted',
    shouldBe: 'there',
  }));
  return { ...look, faults: [...deleted, ...faults] };
}

async function wrongSizes(
  admin: Pick<TopicAdmin, 'fetchTopicMetadata'>,
  topics: readonly DeclaredTopic[],
  { replicationFactor = 1, minInSyncReplicas = 1 }: TopicDurability,
): Promise<TopicFault[]> {
  const copies = Math.max(replicationFactor, minInSyncReplicas);
  const faults: TopicFault[] = [];
  const metadata = await admin.fetchTopicMetadata({ topics: topics.map(({ name }) => name) });
  for (const { name, partitions } of topics) {
    const found = metadata.topics.find((topic) => topic.name === name)?.partitions ?? [];
    if (found.length === 0) throw new Error(`the broker does not know ${name} yet`);
    const tell = (setting: string, is: number, shouldBe: string): void => {
      faults.push({ topic: name, setting, is: String(is), shouldBe });
    };
    if (found.length !== partitions) tell('partitions', found.length, String(partitions));
    const fewest = Math.min(...found.map(({ replicas }) => replicas.length));
    if (fewest < copies) tell('replication.factor', fewest, `at least ${String(copies)}`);
  }
  return faults;
}

/** Undefined when the brokers do not tell. A setting that they do not know is not missed. */
async function wrongSettings(
  admin: Pick<TopicAdmin, 'describeConfigs'>,
  topics: readonly DeclaredTopic[],
  durability: TopicDurability,
): Promise<readonly TopicFault[] | undefined> {
  const settings = [...settingsOf(durability), UNPACKED];
  const configNames = settings.map(([setting]) => setting);
  const type = kafkajs.ConfigResourceTypes.TOPIC;
  try {
    const { resources } = await admin.describeConfigs({
      resources: topics.map(({ name }) => ({ type, name, configNames })),
      includeSynonyms: false,
    });
    return resources.flatMap(({ resourceName: topic, configEntries }) =>
      settings.flatMap(([setting, shouldBe]) => {
        const is = configEntries.find(({ configName }) => configName === setting)?.configValue;
        if (is === undefined || is === shouldBe) return [];
        if (setting !== IN_SYNC) return [{ topic, setting, is, shouldBe }];
        return Number(is) > Number(shouldBe)
          ? []
          : [{ topic, setting, is, shouldBe: `at least ${shouldBe}` }];
      }),
    );
  } catch (error) {
    if (isUntold(error)) return undefined;
    throw error;
  }
}
