import {
  CertificateStateException,
  DeleteCertificateCommand,
  DeleteConflictException,
  DeleteThingCommand,
  DescribeThingCommand,
  InvalidRequestException,
  ResourceNotFoundException,
  UpdateCertificateCommand,
  UpdateThingCommand,
} from '@aws-sdk/client-iot';
import { iot, unlessGone } from './iot.ts';

/** `later`: AWS detaches at its own pace (DetachThingPrincipal: "asynchronous"), and deletes nothing that is attached. */
export type Ending = 'gone' | 'later';

const unlessBusy = async (
  ending: Promise<unknown>,
  busy: ReadonlyArray<new (...given: never[]) => Error>,
): Promise<Ending> => {
  try {
    await unlessGone(ending);
    return 'gone';
  } catch (error) {
    if (busy.some((kind) => error instanceof kind)) return 'later';
    throw error;
  }
};

export const certificateEndings = {
  async activate(certificateId: string): Promise<void> {
    await unlessGone(iot.send(new UpdateCertificateCommand({ certificateId, newStatus: 'ACTIVE' })));
  },

  remove: (certificateId: string): Promise<Ending> =>
    unlessBusy(iot.send(new DeleteCertificateCommand({ certificateId })), [
      DeleteConflictException,
      CertificateStateException,
    ]),
};

const serialNumberOf = async (thingName: string): Promise<string | undefined> => {
  try {
    return (await iot.send(new DescribeThingCommand({ thingName }))).attributes?.serialNumber;
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
};

export const thingEndings = {
  /** Only the device's own: anybody else's thing of that name stays. */
  async remove(thingName: string, serialNumber: string): Promise<Ending> {
    if ((await serialNumberOf(thingName)) !== serialNumber) return 'gone';
    return unlessBusy(iot.send(new DeleteThingCommand({ thingName })), [InvalidRequestException]);
  },

  /** The same thing stands for other hardware from now on. */
  async giveTo(thingName: string, from: string, to: { serialNumber: string; batch: string | undefined }) {
    if ((await serialNumberOf(thingName)) !== from) return;
    const attributes = { serialNumber: to.serialNumber, batch: to.batch ?? '-' };
    await iot.send(new UpdateThingCommand({ thingName, attributePayload: { attributes, merge: false } }));
  },
};
