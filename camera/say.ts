import type { Stage } from './options.ts';

/** A stage of the boot as one line for people. Nothing secret is in it. */
export function inWords(stage: Stage): string {
  switch (stage.stage) {
    case 'key':
      return `${stage.made ? 'made its key' : 'has its key'}; publicKeySha256 ${stage.publicKeySha256}`;
    case 'resumed':
      return `goes on where it was: ${resumed[stage.at]}`;
    case 'certificate':
      return `certificate ${stage.certificateId}`;
    case 'thing': {
      const { streamName, channels, roleAlias } = stage.configuration;
      const more = channels === '' ? '' : `, channels ${channels}`;
      return `is thing ${stage.thingName}, stream ${streamName}${more}, role alias ${roleAlias}`;
    }
    case 'connected':
      return `connected as ${stage.clientId}: proof of life`;
    case 'credentials':
      return `AWS credentials until ${stage.expiration.toISOString()}`;
    case 'stream':
      return `stream ${stage.streamName} is ACTIVE`;
    case 'acknowledged': {
      const { EventType, FragmentNumber } = stage.acknowledgements.at(-1) ?? {};
      const { length } = stage.acknowledgements;
      return `${length} ${length === 1 ? 'fragment' : 'fragments'} ${EventType}, the last is ${FragmentNumber}`;
    }
    case 'renewal':
      return `renewal: ${renewed[stage.step]} ${stage.certificateId}`;
    case 'renewal-postponed':
      return `goes on with the certificate it has: ${stage.reason}`;
    case 'waiting':
      return `tries again in ${(stage.waitMs / 1000).toFixed(1)} s: ${stage.reason}`;
  }
}

const renewed = {
  begun: 'asks with certificate',
  certificate: 'holds, and has yet to register, certificate',
  registered: 'may use certificate',
  connected: 'has shown life with certificate',
  done: 'is over; its own is certificate',
};

const resumed = {
  certificate: 'it holds a certificate and has yet to register it',
  registered: 'it is registered and has yet to show life',
  connected: 'it has been here before',
};
