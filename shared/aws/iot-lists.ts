import {
  type CertificateStatus,
  DescribeCertificateCommand,
  DescribeThingCommand,
  ListAttachedPoliciesCommand,
  ListCertificatesCommand,
  ListPrincipalThingsCommand,
  ListTargetsForPolicyCommand,
  ListThingPrincipalsCommand,
  ListThingsCommand,
  ResourceNotFoundException,
} from '@aws-sdk/client-iot';
import type { FoundThing } from '../domain/drift.ts';
import { iot } from './iot.ts';

/** The largest that AWS takes. */
const pageSize = 250;

const toThing = (thing: {
  thingName?: string | undefined;
  thingTypeName?: string | undefined;
  attributes?: Record<string, string> | undefined;
}): FoundThing => {
  const { thingName = '', thingTypeName, attributes: { serialNumber, batch } = {} } = thing;
  return {
    thingName,
    ...(thingTypeName !== undefined && { thingTypeName }),
    ...(serialNumber !== undefined && { serialNumber }),
    ...(batch !== undefined && { batch }),
  };
};

const isActive = (status: CertificateStatus | undefined): boolean => status === 'ACTIVE';

/** The lists of AWS IoT, a page at a time. */
export const lists = {
  async targetsOf(policyName: string, after?: string) {
    const { targets = [], nextMarker } = await iot.send(
      new ListTargetsForPolicyCommand({ policyName, pageSize, ...(after && { marker: after }) }),
    );
    return {
      targets: targets.map((arn) => {
        const [, certificateId] = /:cert\/([0-9a-f]{64})$/.exec(arn) ?? [];
        return { arn, ...(certificateId !== undefined && { certificateId }) };
      }),
      ...(nextMarker && { next: nextMarker }),
    };
  },

  async inactive(after?: string) {
    const { certificates = [], nextMarker } = await iot.send(
      new ListCertificatesCommand({ pageSize, ...(after && { marker: after }) }),
    );
    return {
      certificateIds: certificates
        .filter(({ status }) => !isActive(status))
        .flatMap(({ certificateId }) => certificateId ?? []),
      ...(nextMarker && { next: nextMarker }),
    };
  },

  async thingsOf(thingTypeName: string, after?: string) {
    const { things = [], nextToken } = await iot.send(
      new ListThingsCommand({ thingTypeName, maxResults: pageSize, ...(after && { nextToken: after }) }),
    );
    return { things: things.map(toThing), ...(nextToken && { next: nextToken }) };
  },
};

const unlessNone = async <Answer>(asked: Promise<Answer>): Promise<Answer | undefined> => {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
};

/** One thing or certificate, as AWS IoT has it. What is not there has nothing. */
export const looks = {
  async certificate(certificateId: string) {
    const found = await unlessNone(iot.send(new DescribeCertificateCommand({ certificateId })));
    const { certificateArn = '', status, creationDate } = found?.certificateDescription ?? {};
    const createdAt = (creationDate ?? new Date(0)).toISOString();
    return found && { certificateArn, isActive: isActive(status), createdAt };
  },

  async policiesOf(certificateArn: string): Promise<string[]> {
    // A certificate has ten policies at most, so one page holds them.
    const found = await unlessNone(iot.send(new ListAttachedPoliciesCommand({ target: certificateArn, pageSize })));
    return found?.policies?.flatMap(({ policyName }) => policyName ?? []) ?? [];
  },

  async thingsOf(certificateArn: string): Promise<string[]> {
    const asked = new ListPrincipalThingsCommand({ principal: certificateArn, maxResults: pageSize });
    return (await unlessNone(iot.send(asked)))?.things ?? [];
  },

  async thing(thingName: string): Promise<FoundThing | undefined> {
    const found = await unlessNone(iot.send(new DescribeThingCommand({ thingName })));
    return found && toThing(found);
  },

  async principalsOf(thingName: string): Promise<string[]> {
    const asked = new ListThingPrincipalsCommand({ thingName, maxResults: pageSize });
    return (await unlessNone(iot.send(asked)))?.principals ?? [];
  },
};
