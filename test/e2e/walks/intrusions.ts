import {
  AttachPolicyCommand,
  CreatePolicyCommand,
  CreateProvisioningTemplateCommand,
  CreateRoleAliasCommand,
  CreateTopicRuleCommand,
  DescribeProvisioningTemplateCommand,
  DescribeRoleAliasCommand,
} from '@aws-sdk/client-iot';
import { IoTDataPlaneClient, PublishCommand } from '@aws-sdk/client-iot-data-plane';
import { CreateStreamCommand } from '@aws-sdk/client-kinesis-video';
import { awsClients } from '../../aws-clients.ts';
import { type Camera, claimCertificate, openClaim, registerThing, takeCertificate } from '../../camera-claim.ts';
import { certificateIdOf } from '../../device-key.ts';
import { createHttpApi } from '../../http-api.ts';
import type { Outputs } from '../../local-run.ts';
import { connectDevice } from '../../mqtt-device.ts';
import { until } from '../../until.ts';
import { credentialsOf, streamWalks, untilStreamActive } from './camera.ts';
import type { ClaimDoor, Mode } from './claim.ts';
import { expectStatus } from './line.ts';

/** What a safeguard is for: an intruder who is refused with it, and gets further without it. */
export interface Intrusion {
  /** `patienceMs`: how long to wait for what may never come. */
  intrude(patienceMs: number): Promise<unknown>;
  refused: RegExp;
  /** Another safeguard stops it then. */
  stoppedBy?: RegExp;
}

const ROLES: Record<Mode, string> = {
  'thing-name': 'ThingNameCameraRole',
  'certificate-id': 'CertificateIdCameraRole',
  fixed: 'FixedCameraRole',
};

/** By the condition or the Deny that stands in the way. */
export async function prepareIntrusions(
  outputs: Outputs,
  prefix: string,
  cameras: Record<Mode, Camera>,
  { claims, expectedSerial }: ClaimDoor,
): Promise<Record<string, Intrusion>> {
  const { region, accountId, personas, aws } = outputs;
  const { iot, kinesisVideo } = awsClients(outputs, personas.admin);
  const arn = (resource: string) => `arn:aws:iot:${region}:${accountId}:${resource}`;

  /** The claim certificate and the cameras may use whatever is called `intruder…`: what stops them then is the safeguard. */
  const policyName = 'intruder';
  const allow = (Action: string, ...resources: string[]) => ({ Effect: 'Allow', Action, Resource: resources.map(arn) });
  const answers = '$aws/provisioning-templates/intruder*/provision/json';
  await iot.send(
    new CreatePolicyCommand({
      policyName,
      policyDocument: JSON.stringify({
        Version: '2012-10-17',
        Statement: [
          allow('iot:Publish', `topic/${answers}`),
          allow('iot:Receive', `topic/${answers}/*`),
          allow('iot:Subscribe', `topicfilter/${answers}/*`),
          allow('iot:AssumeRoleWithCertificate', 'rolealias/intruder*'),
        ],
      }),
    }),
  );
  const { certificatePem } = await claimCertificate(outputs);
  for (const id of [certificateIdOf(certificatePem), ...Object.values(cameras).map((one) => one.certificateId)]) {
    await iot.send(new AttachPolicyCommand({ policyName, target: arn(`cert/${id}`) }));
  }

  const asMode = (camera: Camera, roleAlias: string): Camera => ({
    ...camera,
    configuration: { ...camera.configuration, roleAlias },
  });

  /** A camera asks by the alias of another mode, for a stream that is called as that mode calls them. */
  async function asCameraOf(mode: Mode, camera: Camera, stream: string): Promise<[string, Intrusion]> {
    if (mode !== 'fixed') await kinesisVideo.send(new CreateStreamCommand({ StreamName: stream }));
    await untilStreamActive(outputs, stream);
    const intrusion: Intrusion = {
      async intrude() {
        const keys = await credentialsOf(outputs, asMode(camera, `${prefix}${mode}`));
        await streamWalks(outputs, keys).GetDataEndpoint?.(stream);
      },
      refused: /not authorized to perform: kinesisvideo:GetDataEndpoint/,
    };
    return [`${ROLES[mode]} role: all if credentials-iot:ThingTypeName`, intrusion];
  }

  /** The same camera, at the one route that those credentials open. */
  function sayingThatItLives(mode: Mode, camera: Camera): [string, Intrusion] {
    const intrusion: Intrusion = {
      async intrude() {
        const keys = await credentialsOf(outputs, asMode(camera, `${prefix}${mode}`));
        const { serialNumber } = camera;
        await expectStatus(createHttpApi(outputs, keys).post('/connected', { serialNumber }), 204);
      },
      refused: /^403 Forbidden$/,
    };
    return [`${ROLES[mode]} role: execute-api:Invoke if credentials-iot:ThingTypeName`, intrusion];
  }

  /** Somebody who may make role aliases lends the role out through one of another name. */
  async function byOtherAlias(mode: Mode): Promise<[string, Intrusion]> {
    const alias = await iot.send(new DescribeRoleAliasCommand({ roleAlias: `${prefix}${mode}` }));
    const roleAlias = `intruder-${mode}`;
    await iot.send(new CreateRoleAliasCommand({ roleAlias, roleArn: alias.roleAliasDescription?.roleArn }));
    const intrusion: Intrusion = {
      intrude: () => credentialsOf(outputs, asMode(cameras[mode], roleAlias)),
      refused: /^no credentials: 400 Unable to assume the role/,
    };
    return [`${ROLES[mode]} trust: sts:AssumeRole if aws:SourceArn`, intrusion];
  }

  const hook = (name: string) => ({ targetArn: `arn:aws:lambda:${region}:${accountId}:function:${prefix}${name}` });
  const own = await iot.send(new DescribeProvisioningTemplateCommand({ templateName: `${prefix}claim` }));

  /** Somebody who may make templates has the stack's role do the work, or asks one of the stack's hooks. */
  async function byOtherTemplate(
    templateName: string,
    preProvisioningHook?: { targetArn: string | undefined },
  ): Promise<Intrusion['intrude']> {
    const { provisioningRoleArn, templateBody } = own;
    const hooked = preProvisioningHook !== undefined;
    await iot.send(
      new CreateProvisioningTemplateCommand({
        templateName,
        provisioningRoleArn,
        templateBody,
        enabled: true,
        ...(hooked && { preProvisioningHook: { payloadVersion: '2020-04-01', ...preProvisioningHook } }),
      }),
    );
    return async () => {
      const SerialNumber = await expectedSerial({ streamMode: 'fixed' });
      const device = await openClaim(outputs);
      try {
        const { ownershipToken } = await takeCertificate(device);
        const place = { ThingName: SerialNumber, ThingTypeName: `${prefix}fixed`, Batch: '-' };
        const parameters = { SerialNumber, ...(!hooked && place) };
        const { outcome, content } = await registerThing(device, templateName, ownershipToken, parameters);
        if (outcome === 'rejected') throw new Error(content.errorMessage);
      } finally {
        await device.close();
      }
    };
  }

  /** The same with a camera's own certificate: the renewal hook, at a template that is not its own. */
  async function renewalByOtherTemplate(templateName: string): Promise<Intrusion['intrude']> {
    await byOtherTemplate(templateName, hook('renewalHook'));
    const camera = cameras['thing-name'];
    return async () => {
      const device = await connectDevice(outputs, { clientId: camera.thingName, held: camera });
      try {
        const { ownershipToken } = await takeCertificate(device);
        const parameters = { SerialNumber: camera.serialNumber };
        const { outcome, content } = await registerThing(device, templateName, ownershipToken, parameters);
        if (outcome === 'rejected') throw new Error(content.errorMessage);
      } finally {
        await device.close();
      }
    };
  }

  /** A rule of another name brings a presence that never was. */
  async function byOtherRule(): Promise<Intrusion['intrude']> {
    const functionArn = `arn:aws:lambda:${region}:${accountId}:function:${prefix}onPresence`;
    const topicRulePayload = { sql: "SELECT * FROM 'forged'", actions: [{ lambda: { functionArn } }] };
    await iot.send(new CreateTopicRuleCommand({ ruleName: 'intruder', topicRulePayload }));
    const data = new IoTDataPlaneClient({ endpoint: aws, region, credentials: personas.admin });
    const operator = createHttpApi(outputs, personas.operator);
    return async (patienceMs) => {
      const { serialNumber, certificateId } = await claims(await expectedSerial({ streamMode: 'fixed' }));
      const event = {
        clientId: serialNumber,
        eventType: 'connected',
        timestamp: Date.now(),
        principalIdentifier: certificateId,
      };
      await data.send(new PublishCommand({ topic: 'forged', payload: Buffer.from(JSON.stringify(event)) }));
      await until(
        'the forged presence',
        async () => {
          const { body } = await operator.get(`/devices/${serialNumber}`);
          return body.status === 'active';
        },
        patienceMs,
      );
    };
  }

  const factory = createHttpApi(outputs, personas.factory);
  const { 'thing-name': named, fixed } = cameras;
  return Object.fromEntries([
    await asCameraOf('thing-name', fixed, fixed.thingName),
    await asCameraOf('certificate-id', named, named.certificateId),
    await asCameraOf('fixed', named, `${prefix}fixed`),
    sayingThatItLives('thing-name', fixed),
    sayingThatItLives('certificate-id', named),
    sayingThatItLives('fixed', named),
    await byOtherAlias('thing-name'),
    await byOtherAlias('certificate-id'),
    await byOtherAlias('fixed'),
    [
      'ProvisioningRole trust: sts:AssumeRole if aws:SourceArn',
      {
        intrude: await byOtherTemplate('intruder'),
        refused: /^AWS IoT cannot assume the provisioning role/,
      },
    ],
    [
      'provisioningHook permission: lambda:InvokeFunction if aws:SourceArn',
      {
        intrude: await byOtherTemplate('intruder-hooked', hook('provisioningHook')),
        refused: /^The pre-provisioning hook did not allow it/,
        stoppedBy: /^AWS IoT cannot assume the provisioning role/,
      },
    ],
    [
      'renewalHook permission: lambda:InvokeFunction if aws:SourceArn',
      {
        intrude: await renewalByOtherTemplate('intruder-renewing'),
        refused: /^The pre-provisioning hook did not allow it/,
        stoppedBy: /^AWS IoT cannot assume the provisioning role/,
      },
    ],
    [
      'onPresence permission: lambda:InvokeFunction if aws:SourceArn',
      { intrude: await byOtherRule(), refused: /in vain for the forged presence/ },
    ],
    [
      'factory: execute-api:Invoke on GET/devices/*/*',
      {
        async intrude() {
          const { status } = await factory.get(`/devices/${named.serialNumber}/claims`);
          if (status !== 200) throw new Error(`${status}`);
        },
        refused: /^403$/,
      },
    ],
  ] satisfies [string, Intrusion][]);
}
