import {
  AttachPolicyCommand,
  AttachThingPrincipalCommand,
  CreateCertificateFromCsrCommand,
  CreateKeysAndCertificateCommand,
  CreateProvisioningClaimCommand,
  CreateThingCommand,
  DeleteCertificateCommand,
  DescribeCertificateCommand,
  DescribeEndpointCommand,
  DescribeThingCommand,
  DetachPolicyCommand,
  DetachThingPrincipalCommand,
  InvalidRequestException,
  IoTClient,
  ResourceAlreadyExistsException,
  ResourceNotFoundException,
  UpdateCertificateCommand,
  UpdateThingCommand,
} from '@aws-sdk/client-iot';
import { Failure } from '../domain/failure.ts';

export const iot = new IoTClient({});

type IssuedCertificate = {
  certificateId: string;
  certificateArn: string;
  certificatePem: string;
  privateKey?: string;
};

/** AWS's model makes every member of an answer optional. */
const given = (value: string | undefined, name: string): string => {
  if (!value) throw new Error(`AWS IoT answered without ${name}`);
  return value;
};

const issued = (
  answer: Partial<Record<'certificateId' | 'certificateArn' | 'certificatePem', string | undefined>>,
) => ({
  certificateId: given(answer.certificateId, 'certificateId'),
  certificateArn: given(answer.certificateArn, 'certificateArn'),
  certificatePem: given(answer.certificatePem, 'certificatePem'),
});

/** Active, and without power until a policy is attached: one call instead of two, and 15 a second instead of 10. */
const withNewKey = async (): Promise<IssuedCertificate> => {
  const answer = await iot.send(new CreateKeysAndCertificateCommand({ setAsActive: true }));
  return { ...issued(answer), privateKey: given(answer.keyPair?.PrivateKey, 'keyPair.PrivateKey') };
};

/** The same for a key that somebody else holds. */
const fromRequest = async (certificateSigningRequest: string): Promise<IssuedCertificate> => {
  try {
    return issued(
      await iot.send(new CreateCertificateFromCsrCommand({ certificateSigningRequest, setAsActive: true })),
    );
  } catch (error) {
    if (!(error instanceof InvalidRequestException)) throw error;
    throw new Failure('invalid-certificate-request', 'AWS IoT does not take this certificate signing request');
  }
};

const attachPolicy = async (certificateArn: string, policyName: string): Promise<void> => {
  await iot.send(new AttachPolicyCommand({ target: certificateArn, policyName }));
};

export const certificates = {
  issue: (certificateSigningRequest: string | undefined): Promise<IssuedCertificate> =>
    certificateSigningRequest === undefined ? withNewKey() : fromRequest(certificateSigningRequest),
  attachPolicy,
};

/** For a function that never makes a key. */
export const requestedCertificates = {
  async issue(certificateSigningRequest: string | undefined): Promise<IssuedCertificate> {
    if (certificateSigningRequest === undefined) throw new Error('no certificate signing request');
    return fromRequest(certificateSigningRequest);
  },
  attachPolicy,
};

export const policies = { attachPolicy };

export const issuedCertificates = {
  /** What AWS knows of a certificate; `undefined` if it knows none. */
  async find(certificateId: string) {
    try {
      const { certificateDescription } = await iot.send(new DescribeCertificateCommand({ certificateId }));
      const isActive = certificateDescription?.status === 'ACTIVE';
      return { ...issued(certificateDescription ?? {}), isActive };
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return undefined;
      throw error;
    }
  },

  async deactivate(certificateId: string): Promise<void> {
    await unlessGone(iot.send(new UpdateCertificateCommand({ certificateId, newStatus: 'INACTIVE' })));
  },

  async detachPolicy(certificateArn: string, policyName: string): Promise<void> {
    await unlessGone(iot.send(new DetachPolicyCommand({ target: certificateArn, policyName })));
  },

  /** Only an inactive one that has no policy and no thing. */
  async delete(certificateId: string): Promise<void> {
    await unlessGone(iot.send(new DeleteCertificateCommand({ certificateId })));
  },
};

/** A thing as both doors make it: with these attributes and nothing else (the claim template says the same). */
type Thing = { thingName: string; thingTypeName: string; serialNumber: string; batch: string | undefined };

export const things = {
  /** `taken`: somebody else's thing has the name. */
  async make({ thingName, thingTypeName, serialNumber, batch }: Thing): Promise<'made' | 'taken'> {
    // AWS takes an empty attribute for "remove it"; no batch is called so.
    const attributes = { serialNumber, batch: batch ?? '-' };
    const described = { thingName, thingTypeName, attributePayload: { attributes } };
    try {
      // The same thing again is no error (CreateThing).
      await iot.send(new CreateThingCommand(described));
    } catch (error) {
      if (!(error instanceof ResourceAlreadyExistsException)) throw error;
      const known = await iot.send(new DescribeThingCommand({ thingName }));
      if (known.attributes?.serialNumber !== serialNumber) return 'taken';
      await iot.send(new UpdateThingCommand({ ...described, attributePayload: { attributes, merge: false } }));
    }
    return 'made';
  },

  /** Exclusively: the certificate can then stand for no other thing. */
  async attach(thingName: string, certificateArn: string): Promise<void> {
    const principal = { thingName, principal: certificateArn };
    await iot.send(new AttachThingPrincipalCommand({ ...principal, thingPrincipalType: 'EXCLUSIVE_THING' }));
  },

  async detach(thingName: string, certificateArn: string): Promise<void> {
    await unlessGone(iot.send(new DetachThingPrincipalCommand({ thingName, principal: certificateArn })));
  },
};

/** What is not there need not be taken away. */
export const unlessGone = async (taken: Promise<unknown>): Promise<void> => {
  try {
    await taken;
  } catch (error) {
    if (!(error instanceof ResourceNotFoundException)) throw error;
  }
};

export const provisioningClaims = {
  /** AWS ends it after five minutes (CreateProvisioningClaim). */
  async create(templateName: string) {
    const claim = await iot.send(new CreateProvisioningClaimCommand({ templateName }));
    return {
      certificateId: given(claim.certificateId, 'certificateId'),
      certificatePem: given(claim.certificatePem, 'certificatePem'),
      privateKey: given(claim.keyPair?.PrivateKey, 'keyPair.PrivateKey'),
      expiresAt: new Date(given(claim.expiration?.toISOString(), 'expiration')).toISOString(),
    };
  },
};

export const endpoints = {
  async describe(endpointType: 'iot:Data-ATS' | 'iot:CredentialProvider'): Promise<string> {
    const { endpointAddress } = await iot.send(new DescribeEndpointCommand({ endpointType }));
    return given(endpointAddress, 'endpointAddress');
  },
};
