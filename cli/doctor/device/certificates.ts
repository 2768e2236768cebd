import {
  DescribeCertificateCommand,
  ListAttachedPoliciesCommand,
  ListThingPrincipalsCommand,
} from '@aws-sdk/client-iot';
import type { DeviceRecord } from '../../device-record.ts';
import { unlessAbsent } from '../aws.ts';
import { broken, type Flaw, type Link, type Subject, well } from '../link.ts';
import { byAws, byHand } from '../remedy.ts';
import { type DevicePatient, isLiving, recorded } from './record.ts';

export const certificatesLink: Link<DevicePatient> = {
  name: 'certificates',
  asks: 'Is each certificate active, attached to the thing, and with the device policy?',
  async subjects(patient) {
    const device = await recorded(patient);
    const principals = principalsOf(patient, device.thingName);
    const known = device.certificates.map((certificate) => ({
      subject: certificate.id,
      look: () => lookAt(certificate, device, patient, principals),
    }));
    const strangers: Subject = {
      subject: `others of ${device.thingName}`,
      async look() {
        if (!isLiving(device)) return well();
        const ids = ((await principals) ?? []).map((arn) => arn.slice(arn.lastIndexOf('/') + 1));
        const unknown = ids.filter((id) => !device.certificates.some((one) => one.id === id));
        if (unknown.length === 0) return well('none');
        return broken(
          `attached to its thing, and not on its record: ${unknown.join(', ')}`,
          byHand(
            `aws iot detach-thing-principal --thing-name ${device.thingName} --principal ARN, once you know whose it is`,
          ),
        );
      },
    };
    const none: Subject = {
      subject: 'none',
      look: async () =>
        isLiving(device)
          ? broken('its record names no certificate', byHand(`firstlight device provision ${device.serialNumber}`))
          : well('it has none'),
    };
    return [...(known.length > 0 ? known : [none]), strangers];
  },
};

async function principalsOf({ aws }: DevicePatient, thingName: string): Promise<string[] | undefined> {
  const answer = await unlessAbsent(aws.iot.send(new ListThingPrincipalsCommand({ thingName })));
  return answer?.principals;
}

async function lookAt(
  { id: certificateId, state, since }: DeviceRecord['certificates'][number],
  device: DeviceRecord,
  { aws, stack }: DevicePatient,
  principals: Promise<string[] | undefined>,
) {
  const { status, thingName, serialNumber } = device;
  const asked = aws.iot.send(new DescribeCertificateCommand({ certificateId }));
  const described = (await unlessAbsent(asked))?.certificateDescription;
  if (state === 'leaving') return well(`leaving since ${since}${described ? '' : ', and gone'}`);
  if (!described) return broken('AWS IoT has no such certificate', byHand(ANEW(serialNumber)));
  const target = described.certificateArn ?? '';
  const flaws: Flaw[] = [];
  const mustBe = isLiving(device) ? 'ACTIVE' : 'INACTIVE';
  if (mustBe === 'INACTIVE' && described.status === 'ACTIVE') {
    flaws.push({
      says: `it is ACTIVE, though the device is ${status}`,
      remedy: byAws('iot', 'UpdateCertificate', { certificateId, newStatus: 'INACTIVE' }),
    });
  }
  if (mustBe === 'ACTIVE' && described.status === 'REVOKED') {
    // IoT guide, "Revoke a client certificate": its status cannot be changed again.
    flaws.push({ says: 'it is REVOKED, and stays so', remedy: byHand(ANEW(serialNumber)) });
  } else if (mustBe === 'ACTIVE' && described.status !== 'ACTIVE') {
    flaws.push({
      says: `it is ${described.status}: its camera can neither connect nor get credentials`,
      remedy: byAws('iot', 'UpdateCertificate', { certificateId, newStatus: 'ACTIVE' }),
    });
  }
  if (!isLiving(device)) return { flaws, note: described.status };
  const attached = await principals;
  if (attached && !attached.includes(target)) {
    flaws.push({
      says: `it is not attached to the thing ${thingName}: it can connect as nobody`,
      remedy: byAws('iot', 'AttachThingPrincipal', {
        thingName,
        principal: target,
        thingPrincipalType: 'EXCLUSIVE_THING',
      }),
    });
  }
  const policyName = stack.outputs.DevicePolicyName ?? '';
  const { policies = [] } = await aws.iot.send(new ListAttachedPoliciesCommand({ target }));
  if (!policies.some((policy) => policy.policyName === policyName)) {
    flaws.push({
      says: `the policy ${policyName} is not attached to it: it has no power`,
      remedy: byAws('iot', 'AttachPolicy', { policyName, target }),
    });
  }
  return { flaws, note: `${state}, ${described.status}` };
}

/** A camera that has lost its certificate for good claims another. */
const ANEW = (serialNumber: string) =>
  `let the camera claim again, and where its claim is refused, firstlight device approve ${serialNumber}`;
