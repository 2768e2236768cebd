import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { type Happening, source } from '../domain/transition.ts';

const eventBridge = new EventBridgeClient({});

/** PutEvents takes no more at once. */
const mostAtOnce = 10;

export const busOf = (name: string) => ({
  /** All of them, or it throws: whoever asks again may then send some twice. */
  async put(happenings: Happening[]): Promise<void> {
    for (let first = 0; first < happenings.length; first += mostAtOnce) {
      const entries = happenings.slice(first, first + mostAtOnce).map(({ type, at, detail }) => ({
        EventBusName: name,
        Source: source,
        DetailType: type,
        Time: new Date(at),
        Detail: JSON.stringify(detail),
      }));
      const { FailedEntryCount, Entries } = await eventBridge.send(new PutEventsCommand({ Entries: entries }));
      if (!FailedEntryCount) continue;
      const { ErrorCode, ErrorMessage } = Entries?.find((entry) => entry.ErrorCode) ?? {};
      throw new Error(`EventBridge did not take ${FailedEntryCount} events: ${ErrorCode} ${ErrorMessage}`);
    }
  },
});
