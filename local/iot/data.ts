import * as sdk from '@aws-sdk/client-iot-data-plane';
import { restJson } from '../protocol/rest-json.ts';
import type { Service } from '../service.ts';
import { createNeeds } from './needs.ts';
import { checkText, invalid, notFound } from './refusals.ts';
import type { Registry } from './registry.ts';

export interface IotDataDeps {
  registry: Registry;
  publish(topic: string, payload: Buffer): void;
  /** False when no client of that id is connected. */
  disconnect(clientId: string, reason?: 'API_INITIATED_DISCONNECT', options?: { withoutWill?: boolean }): boolean;
}

/** General Reference, "AWS IoT Core message broker": a topic's bytes and slashes, a client id's bytes, a payload's. */
const TOPIC = { max: 256, slashes: 7 };
const CLIENT_ID = { max: 128 };
const LARGEST_PAYLOAD = 128 * 1024;

/** The broker's HTTP API: `data-ats.iot.<region>.amazonaws.com`. */
export function createIotData({ registry, publish, disconnect }: IotDataDeps): Service {
  const needs = createNeeds(registry);
  return {
    name: 'iotdata',
    protocol: restJson({ schemas: sdk, errorMessageKey: 'message', validationCode: 'InvalidRequestException' }),
    operations: {
      DeleteConnection({ clientId, preventWillMessage = false }) {
        checkText(clientId, 'clientId', CLIENT_ID);
        // DeleteConnection: "clientId … can't start with a dollar sign".
        if (clientId.startsWith('$')) throw invalid('The client id must not start with $');
        const known = disconnect(clientId, 'API_INITIATED_DISCONNECT', { withoutWill: preventWillMessage });
        if (!known) throw notFound(`No client with the id ${clientId} is connected`);
        return {};
      },

      Publish({ topic, payload = Buffer.alloc(0), retain }) {
        checkText(topic, 'topic');
        if (Buffer.byteLength(topic) > TOPIC.max || topic.split('/').length - 1 > TOPIC.slashes || /[+#]/.test(topic)) {
          throw invalid('Invalid topic');
        }
        // IoT guide, "Reserved topics": what begins with $ is AWS IoT's own; only Basic Ingest lets others in.
        if (topic.startsWith('$') && !topic.startsWith('$aws/rules/')) throw invalid(`The topic ${topic} is reserved`);
        if (payload.length > LARGEST_PAYLOAD) throw invalid('The payload is too large');
        if (retain) throw invalid('The stand-in keeps no retained messages.');
        publish(topic, Buffer.from(payload));
        return {};
      },
    },
    needs: (operation, input) => needs(operation, input as Record<string, unknown>),
    // Connections are no state to go back to, and the registry is the control plane's.
    snapshot: () => undefined,
    restore: () => {},
  };
}
