import { describe, expect, it } from 'vitest';
import { kvssinkLine, misfits } from '../../camera/kvssink.ts';

const configuration = {
  region: 'eu-west-1',
  mqttEndpoint: 'localhost:8883',
  credentialEndpoint: 'localhost:8443',
  roleAlias: 'firstlight-dev-thing-name',
  streamName: 'CAM-1',
  channels: 'sub',
  renewAfterDays: '365',
};
const options = {
  thingName: 'CAM-1',
  configuration,
  certificatePath: '/cam/certificate.pem',
  privateKeyPath: '/cam/private.key',
  caPath: '/cam/ca.pem',
  kinesisVideoEndpoint: 'http://127.0.0.1:4566/',
};

/** Reads the line as a shell and gst-launch would. */
function parse(line: string) {
  const [environment = '', pipeline = ''] = line.split('gst-launch-1.0');
  const sink = pipeline.slice(pipeline.indexOf('kvssink ') + 'kvssink '.length);
  const properties = Object.fromEntries(
    [...sink.matchAll(/([a-z-]+)=("[^"]*"|\S+)/g)].map(([, name, value]) => [name, value?.replaceAll('"', '')]),
  );
  const [kind, ...pairs]: string[] = (properties['iot-certificate'] ?? '').split(',');
  return {
    environment: Object.fromEntries(
      environment
        .trim()
        .split(' ')
        .map((pair) => pair.split(/=(.*)/s).slice(0, 2)),
    ),
    properties,
    kind,
    certificate: Object.fromEntries(pairs.map((pair: string) => pair.split('='))),
  };
}

describe('kvssink line', () => {
  it('carries everything kvssink needs, and the thing name always', () => {
    const { environment, properties, kind, certificate } = parse(kvssinkLine(options));
    expect(environment).toEqual({ CONTROL_PLANE_URI: 'http://127.0.0.1:4566', AWS_DEFAULT_REGION: 'eu-west-1' });
    expect(properties).toMatchObject({
      'stream-name': 'CAM-1',
      'aws-region': 'eu-west-1',
      'allow-create-stream': 'false',
    });
    expect(kind).toBe('iot-certificate');
    expect(certificate).toEqual({
      endpoint: 'localhost:8443',
      'cert-path': '/cam/certificate.pem',
      'key-path': '/cam/private.key',
      'ca-path': '/cam/ca.pem',
      'role-aliases': 'firstlight-dev-thing-name',
      'iot-thing-name': 'CAM-1',
    });
  });

  it('films a channel under the same thing', () => {
    const { properties, certificate } = parse(kvssinkLine({ ...options, streamName: 'CAM-1.sub' }));
    expect(properties['stream-name']).toBe('CAM-1.sub');
    expect(certificate['iot-thing-name']).toBe('CAM-1');
  });

  it('leaves the control plane to AWS when it is not told otherwise', () => {
    const { environment } = parse(kvssinkLine({ ...options, kinesisVideoEndpoint: undefined }));
    expect(environment).toEqual({ AWS_DEFAULT_REGION: 'eu-west-1' });
  });

  it('refuses a CA file that libcurl in kvssink would not take', () => {
    expect(() => kvssinkLine({ ...options, caPath: '/cam/ca.crt' })).toThrow('.pem');
  });

  it('knows which paths fit into the line', () => {
    expect(misfits({ ...options, privateKeyPath: '/cam/a-b_c.d/private.key' })).toBeUndefined();
    expect(misfits({ ...options, privateKeyPath: '/my cameras/private.key', caPath: '/tmp/ä.pem' })).toBe(
      'kvssink reads paths of letters, digits and _ . : / + - only; move before you run this: /my cameras/private.key, /tmp/ä.pem',
    );
  });
});
