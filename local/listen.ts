import type { AddressInfo, Server } from 'node:net';

/** The port of one of our doors belongs to somebody else. */
export class PortInUse extends Error {
  override name = 'PortInUse' as const;
  readonly door: string;
  readonly port: number;

  constructor(door: string, port: number) {
    super(`port ${port} is in use`);
    this.door = door;
    this.port = port;
  }
}

/** On this machine only: whatever listens here answers with keys. Resolves with the port; throws PortInUse. */
export function listen(server: Server, door: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'EADDRINUSE' ? new PortInUse(door, port) : error),
    );
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}
