/**
 * AWS's default quotas in us-east-1, calls a second: AWS General Reference, "AWS IoT Core endpoints and quotas" and
 * Kinesis Video Streams guide, "Quotas". An operation that is not here has none.
 */
const RATES: Record<string, Record<string, number>> = {
  iot: {
    // The provisioning API over MQTT counts on its own.
    'CreateKeysAndCertificate@mqtt': 10,
    'CreateCertificateFromCsr@mqtt': 20,
    'RegisterThing@mqtt': 10,
    AssumeRoleWithCertificate: 100,
    CreateKeysAndCertificate: 10,
    CreateCertificateFromCsr: 15,
    RegisterCertificate: 10,
    RegisterCertificateWithoutCA: 10,
    RegisterThing: 10,
    CreateProvisioningClaim: 10,
    CreateThing: 100,
    UpdateThing: 100,
    DeleteThing: 100,
    AttachThingPrincipal: 100,
    DetachThingPrincipal: 100,
    AttachPolicy: 15,
    DetachPolicy: 15,
    AddThingToThingGroup: 100,
    DescribeThing: 350,
    UpdateCertificate: 10,
    DescribeCertificate: 10,
    DeleteCertificate: 10,
    ListThingPrincipals: 20,
    ListThingPrincipalsV2: 20,
    ListPrincipalThings: 10,
    ListPrincipalThingsV2: 10,
    ListThings: 10,
    CreatePolicy: 10,
    GetPolicy: 10,
    UpdateThingGroupsForThing: 10,
    ListAttachedPolicies: 15,
    DescribeEndpoint: 10,
    CreateRoleAlias: 10,
    CreateProvisioningTemplate: 10,
    CreateProvisioningTemplateVersion: 10,
  },
  kinesisvideo: {
    CreateStream: 50,
    DescribeStream: 300,
    GetDataEndpoint: 300,
    TagStream: 50,
    UpdateDataRetention: 50,
    UpdateStream: 50,
    DeleteStream: 50,
    ListTagsForStream: 50,
    ListStreams: 50,
  },
};

/** Calls a second on one stream (Kinesis Video Streams guide, "Quotas"). */
const RATES_PER_STREAM: Record<string, number> = {
  DescribeStream: 5,
  GetDataEndpoint: 5,
  TagStream: 5,
  UpdateDataRetention: 5,
  UpdateStream: 5,
  DeleteStream: 5,
  ListTagsForStream: 5,
  PutMedia: 5,
};

export type Buckets = Map<string, { tokens: number; at: number }>;

/** Takes one from each bucket that counts this call, or from none: burst is the rate, as AWS states no other. */
export function takesToken(
  buckets: Buckets,
  now: number,
  service: string,
  operation: string,
  resource?: string,
): boolean {
  const rates = RATES[service] ?? {};
  const own = `${operation}@${resource}`;
  const key = own in rates ? own : operation;
  const counting: [key: string, rate: number | undefined][] = [[`${service} ${key}`, rates[key]]];
  if (service === 'kinesisvideo' && resource !== undefined) {
    counting.push([`${service} ${operation} ${resource}`, RATES_PER_STREAM[operation]]);
  }
  const due = counting.flatMap(([bucket, rate]) => {
    if (rate === undefined) return [];
    const { tokens, at } = buckets.get(bucket) ?? { tokens: rate, at: now };
    return [{ bucket, tokens: Math.min(rate, tokens + (Math.max(now - at, 0) / 1000) * rate) }];
  });
  const passes = due.every(({ tokens }) => tokens >= 1);
  for (const { bucket, tokens } of due) buckets.set(bucket, { tokens: passes ? tokens - 1 : tokens, at: now });
  return passes;
}
