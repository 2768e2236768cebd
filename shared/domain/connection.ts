import { type Device, type StreamMode, streamNameFor } from './device.ts';

/** What a deployment tells its cameras. Endpoints are `host` or `host:port`. */
export type Deployment = {
  region: string;
  mqttEndpoint: string;
  credentialEndpoint: string;
  roleAliases: Record<StreamMode, string>;
  fixedStream?: string | undefined;
};

export type Connection = {
  region: string;
  mqttEndpoint: string;
  credentialEndpoint: string;
  credentialUrl: string;
  roleAlias: string;
  streamName: string;
  channels: string;
  kvssink: string;
};

/** What a camera with this certificate needs to connect and to stream. */
export const connectionOf = (device: Device, certificateId: string, deployment: Deployment): Connection => {
  const { region, mqttEndpoint, credentialEndpoint } = deployment;
  const roleAlias = deployment.roleAliases[device.streamMode];
  const streamName = streamNameFor(device, certificateId, deployment.fixedStream);
  // The thing's name always: without it kvssink sends the stream's, which the credential provider refuses in all modes but one.
  const iotCertificate = [
    'iot-certificate',
    `endpoint=${credentialEndpoint}`,
    'cert-path=certificate.pem',
    'key-path=private.key',
    'ca-path=ca.pem',
    `role-aliases=${roleAlias}`,
    `iot-thing-name=${device.thingName}`,
  ].join(',');
  return {
    region,
    mqttEndpoint,
    credentialEndpoint,
    credentialUrl: `https://${credentialEndpoint}/role-aliases/${roleAlias}/credentials`,
    roleAlias,
    streamName,
    channels: device.channels.join(','),
    kvssink: `stream-name="${streamName}" aws-region="${region}" iot-certificate="${iotCertificate}"`,
  };
};
