import { DeleteConnectionCommand, IoTDataPlaneClient, PublishCommand } from '@aws-sdk/client-iot-data-plane';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { createIotData } from '../../local/iot/data.ts';
import { createRegistry } from '../../local/iot/registry.ts';
import { ACCOUNT, openDoor, REGION } from './aws-door.ts';
import { refused } from './iot-door.ts';

const seen: string[] = [];
const door = await openDoor(({ clock }) =>
  createIotData({
    registry: createRegistry({ clock, region: REGION, accountId: ACCOUNT }),
    publish: (topic, payload) => seen.push(`${topic} ${payload}`),
    disconnect(clientId, reason, options) {
      seen.push(`${clientId} ${reason} ${options?.withoutWill}`);
      return clientId === 'cam-1';
    },
  }),
);
const iotdata = new IoTDataPlaneClient(door.client);

afterAll(() => door.close());
beforeEach(() => {
  seen.length = 0;
});

test('DeleteConnection ends the connection of a client', async () => {
  await iotdata.send(new DeleteConnectionCommand({ clientId: 'cam-1', preventWillMessage: true }));
  expect(seen).toEqual(['cam-1 API_INITIATED_DISCONNECT true']);
});

test('DeleteConnection of nobody is not found', async () => {
  await expect(iotdata.send(new DeleteConnectionCommand({ clientId: 'cam-2' }))).rejects.toMatchObject(
    refused('ResourceNotFoundException', 404),
  );
});

test('DeleteConnection needs the right to that very client', async () => {
  const client = `arn:aws:iot:${REGION}:${ACCOUNT}:client/cam-1`;
  const user = new IoTDataPlaneClient(
    door.clientOf('ops', [{ Effect: 'Allow', Action: 'iot:DeleteConnection', Resource: client }]),
  );
  await user.send(new DeleteConnectionCommand({ clientId: 'cam-1' }));
  await expect(user.send(new DeleteConnectionCommand({ clientId: 'cam-2' }))).rejects.toMatchObject({
    name: 'AccessDeniedException',
  });
  expect(seen).toHaveLength(1);
});

test('Publish sends on, but nothing into what is reserved', async () => {
  await iotdata.send(new PublishCommand({ topic: 'cameras/1', payload: Buffer.from('hello') }));
  expect(seen).toEqual(['cameras/1 hello']);
  const forged = new PublishCommand({ topic: '$aws/events/presence/connected/cam-1', payload: Buffer.from('{}') });
  await expect(iotdata.send(forged)).rejects.toMatchObject(refused('InvalidRequestException', 400));
});
