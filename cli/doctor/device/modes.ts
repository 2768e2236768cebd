import { namesIn } from '../functions.ts';
import { NotChecked } from '../link.ts';
import type { Stack } from '../stack.ts';

/** What the deployment gives a device of one stream mode. */
export interface Mode {
  thingType: string;
  roleAlias: string;
  fixedStream: string;
  retentionHours: number;
}

/** As the hook is told it. Rejects with NotChecked for a mode that it does not know. */
export async function modeOf({ ofType, expected }: Stack, streamMode: string): Promise<Mode> {
  const hooks = ofType('AWS::IoT::ProvisioningTemplate').flatMap(({ properties }) =>
    namesIn(properties.PreProvisioningHook),
  );
  const suffix = streamMode.toUpperCase().replaceAll('-', '_');
  for (const { logicalId, properties } of ofType('AWS::Lambda::Function')) {
    if (!hooks.includes(logicalId)) continue;
    const { Variables = {} } = (await expected(properties.Environment ?? {})) as { Variables?: Record<string, string> };
    const thingType = Variables[`THING_TYPE_${suffix}`];
    const roleAlias = Variables[`ROLE_ALIAS_${suffix}`];
    if (thingType === undefined || roleAlias === undefined) continue;
    const { FIXED_STREAM = '', RETENTION_HOURS = '0' } = Variables;
    return { thingType, roleAlias, fixedStream: FIXED_STREAM, retentionHours: Number(RETENTION_HOURS) };
  }
  throw new NotChecked(`no hook of this stack knows the stream mode ${streamMode}`);
}
