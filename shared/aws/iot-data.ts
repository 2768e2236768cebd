import { DeleteConnectionCommand, IoTDataPlaneClient, ResourceNotFoundException } from '@aws-sdk/client-iot-data-plane';

export const iotData = new IoTDataPlaneClient({});

export const connections = {
  /** Ends the session that this client id has, if it has one. */
  async drop(clientId: string): Promise<void> {
    try {
      await iotData.send(new DeleteConnectionCommand({ clientId, cleanSession: true }));
    } catch (error) {
      if (!(error instanceof ResourceNotFoundException)) throw error;
    }
  },
};
