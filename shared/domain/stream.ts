import type { Device, DeviceCertificate, DeviceStream } from './device.ts';

/** A dot is legal in stream names and not in thing names, so `<thing>.*` can never reach another camera's streams. */
const channelStreamName = (thingName: string, channel: string): string => `${thingName}.${channel}`;

export const leave = (certificate: DeviceCertificate, at: string): DeviceCertificate =>
  certificate.state === 'leaving' ? certificate : { ...certificate, state: 'leaving', since: at };

/** The streams of a device once this certificate has been granted: what is there already is not made twice. */
export const openStreams = (device: Device, certificateId: string, at: string): DeviceStream[] => {
  // The deployment makes the one fixed stream, no device does.
  if (device.streamMode === 'fixed') return device.streams;
  const name = device.streamMode === 'thing-name' ? device.thingName : certificateId;
  return device.streams.some((one) => one.name === name)
    ? device.streams
    : [...device.streams, { name, state: 'making', since: at }];
};

export const withStream = (
  streams: DeviceStream[],
  name: string,
  state: DeviceStream['state'],
  at: string,
): DeviceStream[] =>
  streams.map((one) => (one.name === name && one.state !== state ? { ...one, state, since: at } : one));

/**
 * The streams once this certificate has shown life: its own is there, since a yes is given only when AWS confirmed it or
 * after it was noted as pending; channels begin; in `certificate-id` mode the streams of earlier certificates have ended.
 */
export const liveStreams = (device: Device, certificateId: string, at: string): DeviceStream[] => {
  const main = device.streamMode === 'thing-name' ? device.thingName : certificateId;
  const streams = device.streams.map((one): DeviceStream => {
    if (one.name === main && one.state === 'making') return { ...one, state: 'made', since: at };
    return device.streamMode === 'certificate-id' && one.name !== main && !one.until ? { ...one, until: at } : one;
  });
  const channels = device.streamMode === 'thing-name' ? device.channels : [];
  const missing = channels.filter((channel) => !streams.some((one) => one.channel === channel && !one.until));
  return [
    ...streams,
    ...missing.map(
      (channel): DeviceStream => ({
        name: channelStreamName(device.thingName, channel),
        channel,
        state: 'pending',
        since: at,
      }),
    ),
  ];
};
