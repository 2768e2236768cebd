import { cameraRoles, deniesSessions } from '../camera-roles.ts';
import { broken, type Link, well } from '../link.ts';
import type { PolicyDocument } from '../policy-difference.ts';
import { byInvoking } from '../remedy.ts';
import { inlinePoliciesOf } from '../role.ts';
import { type DevicePatient, isLiving, recorded } from './record.ts';

export const denialsLink: Link<DevicePatient> = {
  name: 'denials',
  asks: 'Do the camera roles deny nothing to its certificates?',
  async subjects(patient) {
    const device = await recorded(patient);
    const { stack, aws } = patient;
    const ids = device.certificates.filter(({ state }) => state !== 'leaving').map(({ id }) => id);
    return cameraRoles(stack).map(({ physicalId: RoleName = '' }) => ({
      subject: RoleName,
      async look() {
        if (!isLiving(device)) return well();
        const documents = [...(await inlinePoliciesOf(aws, RoleName)).values()].filter(deniesSessions);
        const denied = ids.filter((id) => documents.some((document) => deniesSession(document, id)));
        if (denied.length === 0) return well();
        return broken(
          `it denies everything to the credentials of ${denied.join(', ')}, though the device is ${device.status}`,
          byInvoking(stack.outputs.ReconcileFunctionName ?? ''),
        );
      },
    }));
  },
};

const deniesSession = ({ Statement }: PolicyDocument, certificateId: string): boolean =>
  [Statement]
    .flat()
    .some(({ Condition = {} }) => JSON.stringify(Condition.StringLike ?? {}).includes(`:${certificateId}`));
