import { spawn } from 'node:child_process';
import type { MeshFile } from '@parley/mesh';
import { inNamespace } from './namespaces.ts';

const deadlineMs = 60_000;

/** How a run of kubectl or istioctl ended; neither output is cut. */
export interface ToolResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a client of the mesh's API server in the hub, where that listens, with `input` on its stdin. */
export const clusterTool = (
  mesh: Pick<MeshFile, 'hub' | 'kubeconfig'>,
  command: readonly string[],
  input = '',
): Promise<ToolResult> =>
  new Promise((resolve, reject) => {
    const [program = '', ...args] = inNamespace(mesh.hub.namespace, command);
    const child = spawn(program, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, KUBECONFIG: mesh.kubeconfig },
      timeout: deadlineMs,
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.stdin.on('error', () => undefined); // it ended before it read all
    child.stdin.end(input);
    child.on('close', (code) => {
      resolve({ exitCode: code ?? 1, stdout, stderr });
    });
  });

/** Runs kubectl and returns what it printed; rejects with what it said on any exit code but 0. */
export const kubectl = async (
  mesh: Pick<MeshFile, 'hub' | 'kubeconfig' | 'tools'>,
  args: readonly string[],
  input?: string,
): Promise<string> => {
  const { exitCode, stdout, stderr } = await clusterTool(mesh, [mesh.tools.kubectl, ...args], input);
  if (exitCode !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${exitCode}:\n${stderr.trim()}`);
  return stdout;
};
