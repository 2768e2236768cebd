import { CreateKeysAndCertificateCommand, IoTClient } from '@aws-sdk/client-iot';
import { createControlPlane } from '../../local/iot/control-plane.ts';
import { createIssuer } from '../../local/iot/issuer.ts';
import { createProvision, type Provision } from '../../local/iot/provision.ts';
import { createRegistry, type Registry } from '../../local/iot/registry.ts';
import { ACCOUNT, type AwsDoor, openDoor, REGION } from './aws-door.ts';

/** An IoT policy that nothing is wrong with. */
export const DOCUMENT =
  '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}]}';
export const ROLE = `arn:aws:iam::${ACCOUNT}:role/camera`;

export interface Iot {
  door: AwsDoor;
  registry: Registry;
  /** As the account itself. */
  client: IoTClient;
  clientOf(userName: string, statements: object[]): IoTClient;
  newCertificate(setAsActive?: boolean): Promise<{ certificateId: string; certificateArn: string }>;
  /** Back to an empty registry. */
  empty(): void;
}

/** The control plane of AWS IoT behind the real door, for the AWS SDK. */
export async function openIot(): Promise<Iot> {
  let registry: Registry | undefined;
  const door = await openDoor(async ({ clock }) => {
    const made = createRegistry({ clock, region: REGION, accountId: ACCOUNT });
    registry = made;
    const issuer = await createIssuer({ clock });
    const provision: Provision = (request) =>
      createProvision({ registry: made, identities: door.identities, clock, issuer })(request);
    const endpoints = () => ({ mqtt: 'localhost:8883', credentials: 'localhost:8443' });
    return createControlPlane({ registry: made, issuer, clock, endpoints, provision });
  });
  const client = new IoTClient(door.client);
  const filled = registry as Registry;
  const nothing = filled.snapshot();
  return {
    door,
    registry: filled,
    client,
    clientOf: (userName, statements) => new IoTClient(door.clientOf(userName, statements)),
    async newCertificate(setAsActive = true) {
      const { certificateId = '', certificateArn = '' } = await client.send(
        new CreateKeysAndCertificateCommand({ setAsActive }),
      );
      return { certificateId, certificateArn };
    },
    empty: () => filled.restore(nothing),
  };
}

/** What an SDK's error looks like, for `toMatchObject`. */
export const refused = (name: string, status: number) => ({ name, $metadata: { httpStatusCode: status } });
