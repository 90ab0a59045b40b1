import { connect } from 'node:tls';
import { z } from 'zod';

/* Connects to a workload with TLS but no certificate of its own and prints what it was shown. Runs in a node: see mesh.ts. */
const { host, port } = z.object({ host: z.string(), port: z.int() }).parse(JSON.parse(process.argv[2] ?? ''));
const deadlineMs = 60_000;

interface Shown {
  readonly subjectAltName: string | undefined;
  readonly subject: string;
  readonly issuer: string;
  readonly validTo: string;
}

const socket = connect({
  host,
  port,
  ALPNProtocols: ['istio'],
  rejectUnauthorized: false,
  timeout: deadlineMs,
});
const chain: Shown[] = [];
const end = (refusal: string): void => {
  process.stdout.write(JSON.stringify({ protocol: socket.getProtocol(), chain, refusal }));
  process.exit();
};
socket.on('secureConnect', () => {
  const seen = new Set<string>();
  let certificate = socket.getPeerX509Certificate();
  while (certificate !== undefined && !seen.has(certificate.fingerprint256)) {
    seen.add(certificate.fingerprint256);
    const { subjectAltName, subject, issuer, validTo } = certificate;
    chain.push({ subjectAltName, subject, issuer, validTo });
    certificate = certificate.issuerCertificate;
  }
  socket.write('GET /api/v1/products HTTP/1.1\r\nhost: product\r\n\r\n');
});
socket.on('data', (bytes: Buffer) => {
  end(`answered: ${bytes.toString('latin1').slice(0, 20)}`);
});
socket.on('error', (error: Error) => {
  end(error.message);
});
socket.on('timeout', () => {
  end('no answer');
});
socket.on('close', () => {
  end('closed');
});
