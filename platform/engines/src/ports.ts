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

/** Below it, ports are for root alone. */
const portBaseMin = 1024;
const portBaseMax = 65_535 - portSpan;

/** Ports from 1024 on that `fetch` and browsers refuse to connect to, whoever listens there: the "bad ports" of the Fetch standard. */
export const fetchRefuses: ReadonlySet<number> = new Set([
  1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697,
  10_080,
]);

/** Why a number cannot be the base of a stack, in words that follow it; undefined when it can. Services' ports are not looked at. */
export const refusalOfBase = (base: number): string | undefined => {
  if (!Number.isInteger(base) || base < portBaseMin || base > portBaseMax)
    return `is not a whole number from ${portBaseMin} to ${portBaseMax}`;
  const refused = Object.entries(offsets).find(([, offset]) => fetchRefuses.has(base + offset));
  return refused === undefined
    ? undefined
    : `puts ${refused[0]} on port ${base + refused[1]}, which fetch and browsers refuse`;
};

/** The ports of the stack at `base`. Throws a RangeError when `refusalOfBase` refuses it. */
export const portsFor = (base: number): Ports => {
  const refusal = refusalOfBase(base);
  if (refusal !== undefined) throw new RangeError(`port base ${base} ${refusal}`);
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
