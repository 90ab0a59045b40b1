import type { Command } from '../cli/command.ts';
import type { EngineHost, MintToken } from '../stack/engine-host.ts';
import { benchCommand } from './bench.ts';
import { cleanCommand } from './clean.ts';
import { devCommandOn } from './dev.ts';
import { dlqCommand } from './dlq.ts';
import { doctorCommandOn } from './doctor.ts';
import { downCommand } from './down.ts';
import { drillCommandWith } from '../drill/command.ts';
import { faultCommand } from './fault.ts';
import { flowCommandWith } from './flow.ts';
import { meshApplyCommand, meshCommandOn, meshDiffCommand, meshStatusCommand } from './mesh.ts';
import { obtainCommandOn } from './obtain.ts';
import { scaleCommand } from './scale.ts';
import { testCommandOn } from './test.ts';
import { logsCommand } from './logs.ts';
import { testGatewayCommand } from './test-gateway.ts';
import { logCommand, replayCommand } from './timeline.ts';
import { tokenCommandWith } from './token.ts';
import { upCommand } from './up.ts';

/** Every command, in the order in which --help lists them. */
export const commandsOn = (engines: EngineHost, mintToken: MintToken): readonly Command[] => [
  devCommandOn(engines),
  upCommand,
  downCommand,
  scaleCommand,
  cleanCommand,
  doctorCommandOn(engines),
  obtainCommandOn(engines),
  tokenCommandWith(mintToken),
  flowCommandWith(mintToken),
  drillCommandWith(mintToken),
  faultCommand,
  testCommandOn(engines),
  meshCommandOn(engines),
  meshApplyCommand,
  meshDiffCommand,
  meshStatusCommand,
  testGatewayCommand,
  benchCommand,
  replayCommand,
  logCommand,
  logsCommand,
  dlqCommand,
];
