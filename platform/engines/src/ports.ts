/** The engines of a stack, in the order in which they start: the registry keeps its state in Kafka. */
export const engineNames = ['kafka', 'registry', 'rabbitmq', 'zipkin', 'envoy'] as const;

export type EngineName = (typeof engineNames)[number];

/** Whether a word names an engine. */
export const isEngineName = (word: string): word is EngineName => engineNames.some((name) => name === word);

const offsets = {
  gateway: 80,
  gatewayAdmin: 89,
  rabbitmqAmqp: 172,
  rabbitmqManagement: 173,
  rabbitmqPrometheus: 174,
  rabbitmqDist: 175,
  rabbitmqEpmd: 176,
  registry: 181,
  registryManagement: 182,
  kafka: 192,
  kafkaController: 193,
  zipkin: 194,
} as const;

/** TCP ports on 127.0.0.1 of one stack's engines. */
export type Ports = Readonly<Record<keyof typeof offsets, number>>;

/** Distance from a stack's base to its highest port, so that stacks this far apart never meet. */
export const portSpan = 200;

/** The ports of the stack at `base`. Throws a RangeError unless base is an integer in 1024..65335. */
export const portsFor = (base: number): Ports => {
  if (!Number.isInteger(base) || base < 1024 || base + portSpan > 65_535)
    throw new RangeError(`port base must be an integer from 1024 to ${65_535 - portSpan}, got ${base}`);
  return {
    gateway: base + offsets.gateway,
    gatewayAdmin: base + offsets.gatewayAdmin,
    rabbitmqAmqp: base + offsets.rabbitmqAmqp,
    rabbitmqManagement: base + offsets.rabbitmqManagement,
    rabbitmqPrometheus: base + offsets.rabbitmqPrometheus,
    rabbitmqDist: base + offsets.rabbitmqDist,
    rabbitmqEpmd: base + offsets.rabbitmqEpmd,
    registry: base + offsets.registry,
    registryManagement: base + offsets.registryManagement,
    kafka: base + offsets.kafka,
    kafkaController: base + offsets.kafkaController,
    zipkin: base + offsets.zipkin,
  };
};
