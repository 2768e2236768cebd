import type { DeviceConfiguration } from './identity.ts';

interface Files {
  certificatePath: string;
  privateKeyPath: string;
  /** For the credential endpoint only; its name must end in `.pem`. */
  caPath: string;
}

export interface KvssinkOptions extends Files {
  thingName: string;
  configuration: DeviceConfiguration;
  /** For a local run; AWS's own if left out. */
  kinesisVideoEndpoint?: string | undefined;
  /** One of the camera's channels; its own stream if left out. */
  streamName?: string | undefined;
  /** What comes before kvssink: something that ends in H.264 access units. A test picture if left out. */
  source?: string | undefined;
}

const testPicture = [
  'videotestsrc is-live=true',
  'video/x-raw,width=640,height=360,framerate=15/1',
  'x264enc tune=zerolatency speed-preset=veryfast key-int-max=15 bitrate=500',
  'h264parse',
  'video/x-h264,stream-format=avc,alignment=au',
].join(' ! ');

/** The command that streams this camera with AWS's own producer, ready to be pasted into a shell. */
export function kvssinkLine(options: KvssinkOptions): string {
  const { source = testPicture } = options;
  return [...environment(options), 'gst-launch-1.0 -v', source, '!', 'kvssink', ...properties(options)].join(' ');
}

/**
 * CONTROL_PLANE_URI: no trailing slash, paths are appended to it. AWS_DEFAULT_REGION is there because in some versions
 * of kvssink it beats `aws-region`, and the region is part of every signature.
 */
function environment({ kinesisVideoEndpoint, configuration: { region } }: KvssinkOptions): string[] {
  return [
    ...(kinesisVideoEndpoint === undefined ? [] : [`CONTROL_PLANE_URI=${kinesisVideoEndpoint.replace(/\/+$/, '')}`]),
    `AWS_DEFAULT_REGION=${region}`,
  ];
}

function properties({ configuration, streamName = configuration.streamName, ...rest }: KvssinkOptions): string[] {
  return [
    `stream-name="${streamName}"`,
    `aws-region="${configuration.region}"`,
    `iot-certificate="${iotCertificate({ configuration, ...rest })}"`,
    // The backend has made the stream; the camera's role may not. Left to create one, kvssink would try for ever.
    'allow-create-stream=false',
    'fragment-acks=true',
    'storage-size=128',
    'stop-stream-timeout=15',
  ];
}

/**
 * What kvssink hands to its certificate credential provider. `iot-thing-name` always: without it kvssink sends the
 * stream's name as the thing's, which the credential provider refuses in every mode but one.
 */
function iotCertificate({ thingName, configuration, certificatePath, privateKeyPath, caPath }: KvssinkOptions): string {
  if (!caPath.endsWith('.pem')) throw new Error(`kvssink takes a CA file only if its name ends in .pem: ${caPath}`);
  return [
    'iot-certificate',
    `endpoint=${configuration.credentialEndpoint}`,
    `cert-path=${certificatePath}`,
    `key-path=${privateKeyPath}`,
    `ca-path=${caPath}`,
    `role-aliases=${configuration.roleAlias}`,
    `iot-thing-name=${thingName}`,
  ].join(',');
}

/** What to tell whoever gets the line of files that kvssink will not find. GStreamer reads such a value without quotes, which leaves it few characters. */
export function misfits({ certificatePath, privateKeyPath, caPath }: Files): string | undefined {
  const paths = [certificatePath, privateKeyPath, caPath].filter((path) => !/^[A-Za-z0-9_.:/+-]+$/.test(path));
  if (paths.length === 0) return undefined;
  return `kvssink reads paths of letters, digits and _ . : / + - only; move before you run this: ${paths.join(', ')}`;
}
