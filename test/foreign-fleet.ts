import {
  AttachPolicyCommand,
  AttachThingPrincipalCommand,
  CreateKeysAndCertificateCommand,
  CreatePolicyCommand,
  CreateThingCommand,
  CreateThingTypeCommand,
  DescribeCertificateCommand,
  DescribeThingCommand,
  ListAttachedPoliciesCommand,
  ListThingPrincipalsCommand,
  UpdateCertificateCommand,
} from '@aws-sdk/client-iot';
import { CreateStreamCommand, DescribeStreamCommand, ListTagsForStreamCommand } from '@aws-sdk/client-kinesis-video';
import { awsClients } from './aws-clients.ts';
import type { Outputs } from './local-run.ts';

/** Things, certificates and streams of somebody else in the same account, some of which look like Firstlight's at first sight. */
export async function makeForeignFleet(outputs: Outputs) {
  const { iot, kinesisVideo } = awsClients(outputs, outputs.personas.admin);
  const policyName = 'foreign-policy';
  const policyDocument = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: 'iot:Connect', Resource: '*' }],
  });
  await iot.send(new CreatePolicyCommand({ policyName, policyDocument }));
  await iot.send(new CreateThingTypeCommand({ thingTypeName: 'foreign-type' }));
  const things = {
    'foreign-plain': {},
    // A serial number, as others call theirs.
    'foreign-serial': { thingTypeName: 'foreign-type', attributePayload: { attributes: { serialNumber: 'F-1' } } },
    // Somebody has taken the type without knowing what it is for.
    'foreign-typed': { thingTypeName: 'firstlight-local-thing-name' },
  };
  for (const [thingName, more] of Object.entries(things)) {
    await iot.send(new CreateThingCommand({ thingName, ...more }));
  }
  const certificates: string[] = [];
  for (const [index, thingName] of Object.keys(things).entries()) {
    const { certificateId = '', certificateArn } = await iot.send(
      new CreateKeysAndCertificateCommand({ setAsActive: true }),
    );
    certificates.push(certificateId);
    await iot.send(new AttachThingPrincipalCommand({ thingName, principal: certificateArn }));
    await iot.send(new AttachPolicyCommand({ policyName, target: certificateArn }));
    if (index === 0) await iot.send(new UpdateCertificateCommand({ certificateId, newStatus: 'INACTIVE' }));
  }
  const streams = ['foreign-stream', 'foreign-stream.sub'];
  for (const StreamName of streams) {
    const Tags = { 'firstlight:registry': 'another-registry', 'firstlight:device': StreamName };
    await kinesisVideo.send(new CreateStreamCommand({ StreamName, DataRetentionInHours: 1, Tags }));
  }

  return {
    /** All that AWS tells of them: two of these are equal where nobody has touched anything. */
    async describe(clockOffsetMs = 0): Promise<unknown> {
      const aws = awsClients(outputs, outputs.personas.admin, clockOffsetMs);
      const all = <Name, Told>(names: Name[], tell: (name: Name) => Promise<Told>) => Promise.all(names.map(tell));
      return {
        things: await all(Object.keys(things), async (thingName) => {
          const { $metadata: _, ...thing } = await aws.iot.send(new DescribeThingCommand({ thingName }));
          const { principals } = await aws.iot.send(new ListThingPrincipalsCommand({ thingName }));
          return { ...thing, principals };
        }),
        certificates: await all(certificates, async (certificateId) => {
          const { certificateDescription } = await aws.iot.send(new DescribeCertificateCommand({ certificateId }));
          const target = certificateDescription?.certificateArn;
          const { policies } = await aws.iot.send(new ListAttachedPoliciesCommand({ target }));
          return { ...certificateDescription, policies };
        }),
        streams: await all(streams, async (StreamName) => {
          const { StreamInfo } = await aws.kinesisVideo.send(new DescribeStreamCommand({ StreamName }));
          const { Tags } = await aws.kinesisVideo.send(new ListTagsForStreamCommand({ StreamName }));
          return { ...StreamInfo, Status: undefined, Tags };
        }),
      };
    },
  };
}
