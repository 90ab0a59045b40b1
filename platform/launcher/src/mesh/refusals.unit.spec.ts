import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RefusalLog, refusalMetrics } from './refusals.ts';

/** As Envoy 1.40 writes it. */
const line = (why: string): string =>
  `2026-11-28T20:53:05.533946Z\tdebug\tenvoy connection source/common/tls/cert_validator/default_validator.cc:474\tverify cert failed: ${why}\tthread=361\n`;
const repeated = (why: string): string =>
  `2026-11-28T20:53:05.534Z\tdebug\tenvoy connection source/common/tls/ssl_socket.cc:322\t[Tags: "ConnectionId":"17"] remote address:10.77.0.4:39556,TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify cert failed: ${why}:TLS_error_end\tthread=361\n`;
const x509 = (depth: number, why: string): string =>
  line(`X509_verify_cert: certificate verification error at depth ${depth}: ${why}`);

describe('certificates that a sidecar refused', () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parley-refusals-'));
    path = join(folder, 'sidecar.log');
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('are counted by reason, each line once however it was written', async () => {
    const log = new RefusalLog(path);
    expect(await log.read()).toEqual({});
    const expired = x509(0, 'certificate has expired');
    await writeFile(path, `started\n${expired}${expired.slice(0, 150)}`);
    expect(await log.read()).toEqual({ expired: 1 });
    await appendFile(path, expired.slice(150));
    await appendFile(path, repeated('certificate has expired'));
    await appendFile(path, x509(0, 'certificate is not yet valid'));
    await appendFile(path, x509(2, 'self signed certificate in certificate chain'));
    await appendFile(
      path,
      line('SAN matcher, certificate SANs are [spiffe://other.mesh/ns/parley/sa/client]'),
    );
    await appendFile(path, x509(0, 'certificate revoked'));
    const all = { expired: 2, not_yet_valid: 1, unknown_authority: 1, wrong_identity: 1, other: 1 };
    expect(await log.read()).toEqual(all);
    expect(await log.read()).toEqual(all);
    await writeFile(path, expired); // made anew by a later start
    expect(await log.read()).toEqual({ ...all, expired: 3 });
  });

  it('of an earlier run are not counted', async () => {
    await writeFile(path, x509(0, 'certificate has expired'));
    const log = new RefusalLog(path);
    await appendFile(path, x509(0, 'certificate is not yet valid'));
    expect(await log.read()).toEqual({ not_yet_valid: 1 });
  });

  it('are a counter with every reason in it', () => {
    const text = refusalMetrics({ expired: 2 });
    expect(text).toContain('parley_mesh_refused_certificates_total{reason="expired"} 2\n');
    expect(text).toContain('parley_mesh_refused_certificates_total{reason="not_yet_valid"} 0\n');
  });
});
