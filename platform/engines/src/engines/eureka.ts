import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { ObtainControl } from '../artifacts/cache.ts';
import { maven, pip, python3 } from '../artifacts/debian.ts';
import { fromMaven } from '../artifacts/maven.ts';
import { obtainJava } from '../artifacts/pypi.ts';
import { defineEngine, loopback, urlOf, type JavaProgram } from '../engine.ts';
import { answersOk } from '../probe.ts';
import { jvmOf } from './java.ts';

/** Of Spring Cloud, whose Netflix part has the server. */
const version = '2025.1.2';
const cacheEntry = `eureka-${version}`;
const mainClass = 'parley.EurekaServer';

/** Nobody publishes a server that can be started: it is a library, and this its application. */
const source = `package parley;

@org.springframework.boot.SpringBootConfiguration(proxyBeanMethods = false)
@org.springframework.boot.autoconfigure.EnableAutoConfiguration
@org.springframework.cloud.netflix.eureka.server.EnableEurekaServer
public class EurekaServer {
  public static void main(String[] args) {
    org.springframework.boot.SpringApplication.run(EurekaServer.class, args);
  }
}
`;

/** Compiles with Eclipse's compiler, which is one of the jars and goes: no runtime that is obtained or needed has `javac`. */
const obtain = (control?: ObtainControl): Promise<string> =>
  fromMaven(
    {
      name: 'eureka',
      version,
      finish: async (folder, runHere) => {
        const java = await obtainJava(control);
        const jars = readdirSync(folder).join(delimiter);
        writeFileSync(join(folder, 'EurekaServer.java'), source);
        await runHere(java, [
          ...['-cp', '*', 'org.eclipse.jdt.internal.compiler.batch.Main', '-nowarn'],
          ...['-source', '17', '-target', '17', '-classpath', jars, '-d', 'classes', 'EurekaServer.java'],
        ]);
        await runHere('python3', ['-m', 'zipfile', '-c', 'eureka-server.jar', 'classes/.']);
        await runHere('sh', ['-c', 'rm -r classes EurekaServer.java ecj-*.jar']);
      },
    },
    control,
  );

const program: JavaProgram = { name: 'eureka', cacheEntry, heap: '128m', flags: [], classPath: ['*'] };

/** A registry that forgets an instance soon after its last heartbeat, and answers what it knows at that moment. */
const settings = {
  'server.address': loopback,
  'spring.application.name': 'eureka',
  'spring.main.banner-mode': 'off',
  'spring.cloud.loadbalancer.enabled': false,
  'logging.level.root': 'warn',
  'logging.level.parley': 'info', // that it has started; a log without a line tells nothing when it dies
  'eureka.instance.hostname': loopback,
  'eureka.client.register-with-eureka': false,
  'eureka.client.fetch-registry': false,
  // Else it keeps instances that died when few are left, which in a small stack is always.
  'eureka.server.enable-self-preservation': false,
  'eureka.server.eviction-interval-timer-in-ms': 2000,
  'eureka.server.use-read-only-response-cache': false,
  'eureka.server.response-cache-auto-expiration-in-seconds': 2,
  'eureka.server.response-cache-update-interval-ms': 1000,
  'eureka.server.wait-time-in-ms-when-sync-empty': 0,
};

/** Eureka: which instances of which service live, in memory, with a page that shows them. */
export const eureka = defineEngine({
  name: 'eureka',
  version,
  presence: 'default',
  ports: { eureka: 195 },
  cacheEntry,
  obtainedWith: [python3, pip, maven],
  runsWith: [],
  java: program,
  addresses: (ports) => {
    const url = `${urlOf(ports.eureka)}/eureka`;
    return {
      endpoints: { discovery: { url } },
      serviceEnv: { EUREKA_URL: url },
      rows: [{ label: 'discovery', addresses: [`${urlOf(ports.eureka)}/`] }],
    };
  },
  obtain: async (control) => {
    await Promise.all([obtain(control), obtainJava(control)]);
  },
  prepare: async (context) => {
    const [folder, java] = await Promise.all([obtain(), obtainJava()]);
    const cwd = join(context.runDir, 'eureka');
    mkdirSync(cwd, { recursive: true });
    const all = { 'server.port': context.ports.eureka, ...settings };
    const args = Object.entries(all).map(([key, value]) => `--${key}=${String(value)}`);
    return { command: java, args: [...jvmOf(program, folder, context), mainClass, ...args], env: {}, cwd };
  },
  isReady: ({ ports }) => answersOk(`${urlOf(ports.eureka)}/eureka/apps`),
  readyDeadlineMs: 180_000,
});
