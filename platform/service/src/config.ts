import { z } from 'zod';

const port = z
  .string()
  .regex(/^\d{1,5}$/, 'must be a port number')
  .transform(Number)
  .pipe(z.int().min(0).max(65_535));

/** A field that holds `host:port`. */
export const hostPort = z.string().regex(/^[A-Za-z0-9.-]+:\d{1,5}$/, 'must be host:port');

/** A field that holds `host:port` of one or more brokers, separated by commas. */
const bootstrapServers = z
  .string()
  .regex(/^[A-Za-z0-9.-]+:\d{1,5}(,[A-Za-z0-9.-]+:\d{1,5})*$/, 'must be host:port,host:port …');

/** The most that Kafka has: it counts them in 16 bits. */
const COPIES_MAX = 32_767;
const copies = z.coerce.number().pipe(z.int().min(1).max(COPIES_MAX)).optional();

/** A field that holds the base URL of a peer. */
export const baseUrl = z.url({ protocol: /^https?$/ });

const PEERS_MAX = 64;
const listOf = (item: z.ZodType<string, string>) =>
  z
    .string()
    .transform((text) => text.split(',').map((part) => part.trim()))
    .pipe(z.array(item).min(1).max(PEERS_MAX));

/** A field that holds a comma-separated list of `host:port`, one for each instance of a peer. */
export const hostPortList = listOf(hostPort);

/** A field that holds a comma-separated list of `http://host:port`, one for each instance of a peer. */
export const httpOriginList = listOf(
  z.string().regex(/^http:\/\/[A-Za-z0-9.-]+(:\d{1,5})?\/?$/, 'must be http://host:port'),
);

/** A field that holds a TCP port; 0 lets the machine choose. */
export const portNumber = port;

/** The environment that every service has. Spread it into the `z.object` of a service. */
export const serviceConfigShape = {
  PARLEY_HOST: z.string().min(1).default('127.0.0.1'),
  HTTP_PORT: port,
  OPS_PORT: port,
  /** Present on services that answer gRPC. */
  GRPC_PORT: port.optional(),
  KAFKA_BOOTSTRAP: bootstrapServers,
  /**
   * Copies of each partition that the service's topics must have at least; it makes those that are missing with as many.
   * Absent: what the brokers have as default.
   */
  KAFKA_REPLICATION_FACTOR: copies,
  /** Copies that have a record before it is acknowledged, at least. Absent: what the brokers have as default. */
  KAFKA_MIN_INSYNC_REPLICAS: copies,
  REGISTRY_URL: baseUrl,
  /** Folder for snapshots of the read models, of this service alone. Absent: every start replays the log. */
  SNAPSHOT_DIR: z.string().min(1).optional(),
  /** Eureka's REST interface, with its path. Absent, as DNS_DOMAIN: peers are where the environment says. */
  EUREKA_URL: baseUrl.optional(),
  /** Behind the names of services in Kubernetes' DNS (`parley.svc.cluster.local`); EUREKA_URL goes before it. */
  DNS_DOMAIN: z
    .string()
    .regex(/^[a-z0-9-]+(\.[a-z0-9-]+)*$/, 'must be a domain')
    .optional(),
  /** `ip:port` of the DNS server to ask. Default: the machine's. */
  DNS_SERVER: hostPort.optional(),
  /** Absent: spans are made and propagated, and exported nowhere. */
  ZIPKIN_URL: baseUrl.optional(),
  /** How a span behind a broker hangs on the one before it. */
  TRACE_ASYNC_HOPS: z.enum(['child', 'link']).default('child'),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  /** Names this process among its siblings. Default: a random one. */
  INSTANCE_ID: z.string().min(1).max(64).optional(),
  /** Of the code that this process runs; tells a canary from the rest. */
  INSTANCE_VERSION: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,32}$/, 'must be letters, digits, dots, dashes or underscores')
    .default('dev'),
  /** on: `PUT /ops/faults` makes the service fail on purpose. In development only. */
  PARLEY_FAULTS: z.enum(['off', 'on']).default('off'),
  SHUTDOWN_DEADLINE_MS: z
    .string()
    .regex(/^\d{1,6}$/, 'must be a number of milliseconds')
    .default('10000')
    .transform(Number),
} as const;

/** What `createService` needs to know from the environment. */
export type ServiceConfig = Pick<
  z.infer<z.ZodObject<typeof serviceConfigShape>>,
  'PARLEY_HOST' | 'HTTP_PORT' | 'OPS_PORT' | 'LOG_LEVEL' | 'SHUTDOWN_DEADLINE_MS'
> & {
  readonly GRPC_PORT?: number | undefined;
  readonly ZIPKIN_URL?: string | undefined;
  readonly INSTANCE_ID?: string | undefined;
  readonly INSTANCE_VERSION?: string | undefined;
  readonly EUREKA_URL?: string | undefined;
  readonly DNS_DOMAIN?: string | undefined;
  readonly DNS_SERVER?: string | undefined;
  readonly TRACE_ASYNC_HOPS?: 'child' | 'link' | undefined;
  readonly PARLEY_FAULTS?: 'off' | 'on' | undefined;
};

/** A configuration that can be used, or every key that is wrong and why. Values are not repeated: they may be secret. */
export type ParsedConfig<T> =
  { readonly ok: true; readonly config: T } | { readonly ok: false; readonly problems: readonly string[] };

/** What is wrong with values of which each is right by itself. */
const problemsTogether = (config: Readonly<Record<string, unknown>>): readonly string[] => {
  const { KAFKA_REPLICATION_FACTOR: copiesMade, KAFKA_MIN_INSYNC_REPLICAS: copiesNeeded } = config;
  return typeof copiesMade === 'number' && typeof copiesNeeded === 'number' && copiesNeeded > copiesMade
    ? ['KAFKA_MIN_INSYNC_REPLICAS: must be at most KAFKA_REPLICATION_FACTOR']
    : [];
};

/** Parses an environment. An empty value counts as absent. */
export const parseConfig = <T extends z.ZodObject>(
  schema: T,
  env: Readonly<Record<string, string | undefined>>,
): ParsedConfig<z.output<T>> => {
  const present = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = schema.safeParse(present);
  if (parsed.success) {
    const problems = problemsTogether(parsed.data);
    return problems.length === 0 ? { ok: true, config: parsed.data } : { ok: false, problems };
  }
  const problems = parsed.error.issues.map((issue) => {
    const key = String(issue.path[0] ?? '(environment)');
    return present[key] === undefined ? `${key}: is missing` : `${key}: ${issue.message}`;
  });
  return { ok: false, problems };
};

/** What was parsed; every problem goes to stderr and the process ends with 3 when there is one. */
export const loadConfigWith = <T>(parse: () => ParsedConfig<T>): T => {
  const parsed = parse();
  if (parsed.ok) return parsed.config;
  process.stderr.write(
    `The configuration cannot be used:\n${parsed.problems.map((p) => `  ${p}\n`).join('')}`,
  );
  process.exit(3);
};

/** As `parseConfig`; writes every bad key to stderr and ends the process with 3 when there is one. */
export const loadConfig = <T extends z.ZodObject>(
  schema: T,
  env: Readonly<Record<string, string | undefined>> = process.env,
): z.output<T> => loadConfigWith(() => parseConfig(schema, env));
