// Trigger: POST /devices/{serialNumber}/replace.
// Needs: dynamodb:GetItem and UpdateItem on devices, PutItem and Scan on denials; iot:DescribeCertificate, UpdateCertificate,
// DeleteCertificate, DetachPolicy, DetachThingPrincipal, DescribeThing, UpdateThing, DeleteConnection; iam:PutRolePolicy on the
// camera roles; kinesisvideo:ListTagsForStream and TagStream on the deployment's streams.
import { denialsIn } from '../shared/aws/dynamodb/denials.ts';
import { devicesIn } from '../shared/aws/dynamodb/devices.ts';
import { rolesOf } from '../shared/aws/iam.ts';
import { issuedCertificates, things } from '../shared/aws/iot.ts';
import { connections } from '../shared/aws/iot-data.ts';
import { certificateEndings, thingEndings } from '../shared/aws/iot-endings.ts';
import { streamEndingsOf } from '../shared/aws/stream-endings.ts';
import { env } from '../shared/config.ts';
import { http } from '../shared/edge/http.ts';
import { readReplace } from '../shared/edge/lifecycle.ts';
import { replaceDevice } from '../shared/flow/replace.ts';
import { shownDevice } from '../shared/flow/show-device.ts';

const table = env.text('DEVICES_TABLE');
const ports = {
  registry: devicesIn(table),
  denials: denialsIn(env.text('DENIALS_TABLE')),
  roles: rolesOf(env.text('CAMERA_ROLES').split(',')),
  certificates: { ...issuedCertificates, ...certificateEndings },
  things: { ...things, ...thingEndings },
  streams: streamEndingsOf(table),
  connections,
  now: () => new Date(),
};
const settings = { credentialSeconds: env.wholeNumber('CREDENTIAL_SECONDS'), devicePolicy: env.text('DEVICE_POLICY') };

export const handler = http(ports, async (request, ports) => ({
  status: 200,
  body: shownDevice(await replaceDevice(readReplace(request), ports, settings)),
}));
