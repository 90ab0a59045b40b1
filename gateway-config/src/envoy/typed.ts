/** A piece of Envoy's configuration: plain data. */
export type Fragment = Readonly<Record<string, unknown>>;

/** A message with its type, as Envoy wants it where a field takes any message. `type` is its full name in the xDS API. */
export const typed = (type: string, content: Fragment = {}): Fragment => ({
  '@type': `type.googleapis.com/${type}`,
  ...content,
});

/** An extension: a name and its configuration. */
export const extension = (name: string, type: string, content: Fragment = {}): Fragment => ({
  name,
  typed_config: typed(type, content),
});

/** Milliseconds as Envoy's JSON writes a duration. */
export const duration = (ms: number): string => `${ms / 1000}s`;

/** A TCP address. */
export const socketAddress = ({
  host,
  port,
}: {
  readonly host: string;
  readonly port: number;
}): Fragment => ({
  socket_address: { address: host, port_value: port },
});
