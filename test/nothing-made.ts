import {
  DescribeCertificateCommand,
  DescribeThingCommand,
  ListAttachedPoliciesCommand,
  ListPrincipalThingsCommand,
  ResourceNotFoundException,
} from '@aws-sdk/client-iot';
import { ListStreamsCommand } from '@aws-sdk/client-kinesis-video';
import { expect } from 'vitest';
import { awsClients } from './aws-clients.ts';
import type { Outputs } from './local-run.ts';

/**
 * A refused claim has left nothing: its certificate is still without power (or `gone`, once its token has ended), and
 * there is no thing and no stream of that name.
 */
export async function expectNothingMade(
  outputs: Outputs,
  {
    certificateId,
    gone = false,
    name,
    clockOffsetMs = 0,
  }: { certificateId?: string; gone?: boolean; name?: string; clockOffsetMs?: number },
): Promise<void> {
  const { iot, kinesisVideo } = awsClients(outputs, outputs.personas.admin, clockOffsetMs);
  const described =
    certificateId &&
    iot.send(new DescribeCertificateCommand({ certificateId })).catch((error) => {
      if (error instanceof ResourceNotFoundException) return undefined;
      throw error;
    });
  if (described) {
    const certificate = (await described)?.certificateDescription;
    if (gone) expect(certificate).toBeUndefined();
    else {
      expect(certificate?.status).toBe('PENDING_ACTIVATION');
      const principal = certificate?.certificateArn;
      expect((await iot.send(new ListPrincipalThingsCommand({ principal }))).things).toEqual([]);
      expect((await iot.send(new ListAttachedPoliciesCommand({ target: principal }))).policies).toEqual([]);
    }
  }
  if (name !== undefined && /^[a-zA-Z0-9:_-]{1,128}$/.test(name)) {
    await expect(iot.send(new DescribeThingCommand({ thingName: name }))).rejects.toThrow(ResourceNotFoundException);
  }
  if (name !== undefined) {
    const { StreamInfoList = [] } = await kinesisVideo.send(new ListStreamsCommand({ MaxResults: 10_000 }));
    expect(StreamInfoList.map(({ StreamName }) => StreamName)).not.toContain(name);
  }
}
