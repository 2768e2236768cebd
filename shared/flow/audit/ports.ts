import type { Denial, Device } from '../../domain/device.ts';
import type { FoundThing, ThingTypes } from '../../domain/drift.ts';
import type { Counter, CountNote } from '../../domain/tally.ts';
import type { FinishSettings } from '../finish.ts';
import type { DuePorts } from '../finish-due.ts';

/** `next`: where the list goes on; absent at its end. */
export type Page<Items> = Items & { next?: string };

export interface AuditPorts extends DuePorts {
  registry: DuePorts['registry'] & {
    readMany(serialNumbers: string[]): Promise<Map<string, Device>>;
    /** The device that fills a place which is not called like it. */
    readPlace(thingName: string): Promise<Device | undefined>;
    /** The serial number of the device whose newest certificate it is; it may be a moment late. */
    holderOf(certificateId: string): Promise<string | undefined>;
    /** Every device, in no order that means anything, but always in the same. */
    page(limit: number, after?: string): Promise<Page<{ devices: Device[] }>>;
  };
  /** What AWS IoT lists. */
  lists: {
    /** Whatever has a policy; what is no certificate has no id. */
    targetsOf(
      policyName: string,
      after?: string,
    ): Promise<Page<{ targets: { arn: string; certificateId?: string }[] }>>;
    /** Every certificate of the account that is not active. */
    inactive(after?: string): Promise<Page<{ certificateIds: string[] }>>;
    thingsOf(thingTypeName: string, after?: string): Promise<Page<{ things: FoundThing[] }>>;
  };
  /** A closer look at one thing or certificate; `undefined` if there is none. */
  looks: {
    certificate(id: string): Promise<{ certificateArn: string; isActive: boolean; createdAt: string } | undefined>;
    policiesOf(certificateArn: string): Promise<string[]>;
    thingsOf(certificateArn: string): Promise<string[]>;
    thing(thingName: string): Promise<FoundThing | undefined>;
    principalsOf(thingName: string): Promise<string[]>;
  };
  streams: DuePorts['streams'] & { names(): Promise<Set<string>> };
  denials: { list(): Promise<Denial[]> };
  roles: {
    /** Whether each camera role denies these certificates and no others. */
    areDenying(certificateIds: string[]): Promise<boolean>;
  };
  counters: {
    all(): Promise<Counter[]>;
    notesOf(serialNumbers: string[]): Promise<Map<string, CountNote>>;
    /** False if the counter has moved meanwhile. */
    correct(counter: Counter, expected: number): Promise<boolean>;
  };
}

export type AuditSettings = FinishSettings & {
  thingTypes: ThingTypes;
  /** If there are more certificates that no record knows, none is cut off: somebody has to look. */
  mostCutOff: number;
};
