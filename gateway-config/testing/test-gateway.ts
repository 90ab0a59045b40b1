import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { errorCatalog, type ErrorCode } from '@parley/contracts/errors';
import { correlationIdPattern } from '@parley/contracts/headers';
import { Problem } from '@parley/contracts/rest';
import { startTestEngines } from '@parley/engines/testing';
import { expect } from 'vitest';
import { z } from 'zod';
import { ensureDevKeys, mintToken, type DevKeys } from '../src/dev-keys.ts';
import type { Address } from '../src/envoy/endpoints.ts';
import { applyPolicy, writePolicy, type ChangingPolicy } from '../src/envoy/policy-files.ts';
import { renderEnvoy } from '../src/envoy/render.ts';
import { gatewayPolicy, type GatewayPolicy } from '../src/policy/policy.ts';
import { forUpstreams, upstreamNames, type UpstreamName } from '../src/policy/upstreams.ts';
import { spansOf, type Span } from './zipkin-spans.ts';

/** What a service was asked, as it answers it. */
export const Echo = z.object({
  service: z.string(),
  method: z.string(),
  url: z.string(),
  headers: z.record(z.string(), z.union([z.string(), z.array(z.string())])),
});
export type Echo = z.infer<typeof Echo>;

const echo = (service: UpstreamName): Server =>
  createServer((request, response) => {
    request.resume().on('end', () => {
      const { method, url, headers } = request;
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ service, method, url, headers }));
    });
  });

const collector = (spans: Span[]): Server =>
  createServer((request, response) => {
    const chunks: Buffer[] = [];
    request
      .on('data', (chunk: Buffer) => chunks.push(chunk))
      .on('end', () => {
        spans.push(...spansOf(Buffer.concat(chunks)));
        response.writeHead(202).end();
      });
  });

/** A real gateway in front of five services that answer what they were asked. */
export interface TestGateway {
  readonly url: URL;
  readonly adminUrl: string;
  readonly keys: DevKeys;
  /** A token for the user alice. */
  readonly token: string;
  /** All spans that the gateway has sent so far. */
  readonly spans: readonly Span[];
  ask(path: string, init?: RequestInit): Promise<Response>;
  /** Hands it another policy while it runs. */
  apply(changing: ChangingPolicy): Promise<void>;
  asAlice(headers?: Record<string, string>): { readonly headers: Record<string, string> };
  stop(): Promise<void>;
}

/** Where a service is other than at its echo, and another policy than Parley's own. */
export interface TestGatewayOptions {
  readonly policy?: GatewayPolicy;
  readonly upstreams?: Partial<Readonly<Record<UpstreamName, Address>>>;
}

/** Starts it; nothing listens for shipping unless told otherwise. */
export const startTestGateway = async ({
  policy = gatewayPolicy,
  upstreams: given = {},
}: TestGatewayOptions = {}): Promise<TestGateway> => {
  const servers: Server[] = [];
  const listen = async (server: Server): Promise<Address> => {
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  };
  const listening = new Map<UpstreamName, Address>([['shipping', { host: '127.0.0.1', port: 1 }]]);
  for (const name of upstreamNames)
    listening.set(name, given[name] ?? listening.get(name) ?? (await listen(echo(name))));
  const spans: Span[] = [];
  const zipkin = await listen(collector(spans));
  let made: { readonly keys: DevKeys; readonly adminPort: number; readonly policyFolder: string } | undefined;
  const engines = await startTestEngines({
    only: ['envoy'],
    envoyConfig: async ({ ports, runDir }) => {
      const keys = await ensureDevKeys(runDir);
      const policyFolder = join(runDir, 'policy');
      await writePolicy(policyFolder, { policy, jwks: await readFile(keys.jwksPath, 'utf8') });
      made = { keys, adminPort: ports.gatewayAdmin, policyFolder };
      return renderEnvoy({
        policy,
        listen: { host: '127.0.0.1', port: ports.gateway },
        admin: { host: '127.0.0.1', port: ports.gatewayAdmin },
        upstreams: forUpstreams((_upstream, name) => [listening.get(name) ?? []].flat()),
        jwksPath: keys.jwksPath,
        policyFolder,
        zipkin,
        accessLogPath: join(runDir, 'access.jsonl'),
      });
    },
  });
  const stop = async (): Promise<void> => {
    await engines.stop();
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
  };
  if (made === undefined) throw new Error('no configuration was asked for');
  const { keys, adminPort, policyFolder } = made;
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  const url = new URL(engines.gatewayUrl);
  const token = await mintToken({ privateKeyPath: keys.privateKeyPath, sub: 'alice', ttlSeconds: 3600 });
  return {
    url,
    adminUrl,
    keys,
    token,
    spans,
    ask: (path, init = {}) => fetch(`${url.origin}${path}`, init),
    apply: (changing) => applyPolicy(policyFolder, changing, adminUrl),
    asAlice: (headers = {}) => ({ headers: { authorization: `Bearer ${token}`, ...headers } }),
    stop,
  };
};

/** What the service behind an answer was asked. */
export const echoOf = async (response: Response): Promise<Echo> => {
  const body: unknown = await response.json();
  expect(response.status, JSON.stringify(body)).toBe(200);
  return Echo.parse(body);
};

/** The answer is this problem of the catalogue, in body, status and content type. */
export const expectProblem = async (response: Response, code: ErrorCode): Promise<Problem> => {
  const problem = Problem.parse(await response.json());
  const { httpStatus, title } = errorCatalog[code];
  expect(problem).toMatchObject({ code, status: httpStatus, title });
  expect(response.status).toBe(httpStatus);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(problem.correlationId).toMatch(correlationIdPattern);
  return problem;
};
