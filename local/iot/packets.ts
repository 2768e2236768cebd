import { generate, type Packet, parser } from 'mqtt-packet';

export type ProtocolVersion = 4 | 5;

/** MQTT 5 §2.4, those that AWS IoT names (IoT guide, "MQTT reason codes"). */
export const REASON = {
  success: 0x00,
  noSubscriptionExisted: 0x11,
  unspecified: 0x80,
  malformedPacket: 0x81,
  protocolError: 0x82,
  notAuthorized: 0x87,
  unsupportedProtocolVersion: 0x84,
  badClientId: 0x85,
  serverShuttingDown: 0x8b,
  keepAliveTimeout: 0x8d,
  sessionTakenOver: 0x8e,
  badTopicFilter: 0x8f,
  badTopicName: 0x90,
  topicAliasInvalid: 0x94,
  packetTooLarge: 0x95,
  quotaExceeded: 0x97,
  administrativeAction: 0x98,
  qosNotSupported: 0x9b,
  sharedSubscriptionsNotSupported: 0x9e,
} as const;

/** MQTT 3.1.1 §3.2.2.3 for each refusal of a CONNECT. */
export const RETURN_CODE: Partial<Record<number, number>> = {
  [REASON.unsupportedProtocolVersion]: 1,
  [REASON.badClientId]: 2,
  [REASON.quotaExceeded]: 3,
  // The 2022 guide said 7 here, the current one no longer does: back to the standard's 5.
  [REASON.notAuthorized]: 5,
};

/** 128 KB of payload (General Reference, "AWS IoT Core message broker limits"). */
export const LARGEST_PAYLOAD = 128 * 1024;
/** What AWS tells MQTT 5 clients as Maximum Packet Size: payload, topic and properties together. */
export const LARGEST_PACKET = 149_504;

export function encode(packet: Packet, protocolVersion: ProtocolVersion): Buffer {
  return generate(packet, { protocolVersion });
}

interface Reader {
  onPacket(packet: Packet): void;
  /** Called once; nothing that comes later is read. */
  onBroken(reason: number): void;
}

/** Cuts a byte stream into packets, of either version: the CONNECT says which. */
export function createPacketReader({ onPacket, onBroken }: Reader): (chunk: Buffer) => void {
  // The packet being filled is the parser's own business, but only its length tells of a giant before it is all in memory.
  const reader = parser() as ReturnType<typeof parser> & { packet?: { length?: number } };
  let broken = false;
  const giveUp = (reason: number) => {
    if (broken) return;
    broken = true;
    onBroken(reason);
  };
  reader.on('packet', (packet) => {
    if (broken) return;
    if ((packet.length ?? 0) > LARGEST_PACKET) return giveUp(REASON.packetTooLarge);
    onPacket(packet);
  });
  reader.on('error', () => giveUp(REASON.malformedPacket));

  return (chunk) => {
    if (broken) return;
    try {
      reader.parse(chunk);
    } catch {
      // The parser indexes past the end of some malformed packets.
      giveUp(REASON.malformedPacket);
    }
    if ((reader.packet?.length ?? 0) > LARGEST_PACKET) giveUp(REASON.packetTooLarge);
  };
}
