import { statSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Why a sidecar refused the certificate of a caller, by what Envoy's log says of the handshake. Its own counters do not tell these apart. */
const reasons = {
  expired: /certificate has expired/,
  not_yet_valid: /certificate is not yet valid/,
  unknown_authority: /self[ -]signed certificate|unable to get (?:local )?issuer certificate/,
  wrong_identity: /SAN matcher/,
  other: /(?:)/,
} as const;
type Reason = keyof typeof reasons;

const names = Object.keys(reasons) as readonly Reason[];
/** As the validator says it; the socket repeats it behind words of its own. */
const refused = '\tverify cert failed: ';
const CHUNK_BYTES = 256 * 1024;

/** Refused certificates by reason; a reason that was never met is not in it. */
export type Refusals = Readonly<Partial<Record<Reason, number>>>;

/** Counts what is written to one log from now on: what is there is of an earlier run. Each read goes on where the last one ended. */
export class RefusalLog {
  readonly #path: string;
  readonly #counts = new Map<Reason, number>();
  #offset: number;
  #rest = '';
  #reading: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
    this.#offset = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Refusals until now. A log that is not there has none. */
  read(): Promise<Refusals> {
    const mine = this.#reading.then(() => this.#read());
    this.#reading = mine.catch(() => undefined);
    return mine;
  }

  async #read(): Promise<Refusals> {
    const size = await stat(this.#path).then(
      (found) => found.size,
      () => 0,
    );
    if (size < this.#offset) this.#offset = 0; // made anew
    if (size > this.#offset) await this.#readOn(size);
    return Object.fromEntries(this.#counts);
  }

  async #readOn(size: number): Promise<void> {
    await using handle = await open(this.#path, 'r');
    while (this.#offset < size) {
      const { buffer, bytesRead } = await handle.read({
        buffer: Buffer.alloc(CHUNK_BYTES),
        position: this.#offset,
      });
      if (bytesRead === 0) return;
      this.#offset += bytesRead;
      const lines = `${this.#rest}${buffer.toString('latin1', 0, bytesRead)}`.split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) this.#count(line);
    }
  }

  #count(line: string): void {
    if (!line.includes(refused)) return;
    const reason = names.find((name) => reasons[name].test(line)) ?? 'other';
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
  }
}

/** What the sidecars of these nodes refuse from now on. */
export const refusalsIn = (
  runDir: string,
  nodes: readonly { readonly name: string }[],
): ((node: string) => Promise<Refusals>) => {
  const logOf = ({ name }: { readonly name: string }): [string, RefusalLog] => [
    name,
    new RefusalLog(join(runDir, 'logs', `sidecar-${name}.log`)),
  ];
  const logs = new Map(nodes.map(logOf));
  return (node) => logs.get(node)?.read() ?? Promise.resolve({});
};

const metric = 'parley_mesh_refused_certificates_total';

/** The same in Prometheus' text format. */
export const refusalMetrics = (refusals: Refusals): string =>
  [
    `# HELP ${metric} Handshakes in which the sidecar refused the other side's certificate, by reason`,
    `# TYPE ${metric} counter`,
    ...names.map((reason) => `${metric}{reason="${reason}"} ${refusals[reason] ?? 0}`),
    '',
  ].join('\n');
