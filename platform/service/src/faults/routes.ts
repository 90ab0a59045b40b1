import type { OpsRoute } from '../ops.ts';
import { Faults } from './fault.ts';
import type { FaultInjector } from './injector.ts';

/** `GET` and `PUT /ops/faults`. None outside development, where there is no injector. */
export const faultRoutes = (faults: FaultInjector | undefined): readonly OpsRoute[] => {
  if (faults === undefined) return [];
  const answer = () => ({ kind: 'ok', body: { faults: faults.status() } }) as const;
  return [
    { method: 'GET', path: '/ops/faults', answer: () => Promise.resolve(answer()) },
    {
      method: 'PUT',
      path: '/ops/faults',
      answer: async ({ json }) => {
        const parsed = Faults.safeParse(await json().catch(() => undefined));
        if (!parsed.success) {
          const [issue] = parsed.error.issues;
          const detail = `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'is wrong'}`;
          return { kind: 'invalid', detail };
        }
        faults.set(parsed.data.faults);
        return answer();
      },
    },
  ];
};
