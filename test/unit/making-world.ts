import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { Denial, Device } from '../../shared/domain/device.ts';
import type { Pin } from '../../shared/domain/pin.ts';
import type { DuePorts } from '../../shared/flow/finish-due.ts';
import type { MakePorts } from '../../shared/flow/make.ts';
import type { ProvisionPorts } from '../../shared/flow/provision.ts';

x509.cryptoProvider.set(webcrypto as never);
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** A key, a request for it, and a certificate of it. */
export const keyed = async () => {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    keys,
    signingAlgorithm: algorithm,
    name: 'CN=x',
  });
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    keys,
    signingAlgorithm: algorithm,
    name: 'CN=x',
  });
  return { csr: request.toString('pem'), certificatePem: made.toString('pem') };
};

const hex = (number: number) => number.toString(16).padStart(64, '0');

export const deployment = {
  region: 'us-east-1',
  mqttEndpoint: 'mqtt.example',
  credentialEndpoint: 'credentials.example',
  roleAliases: { 'thing-name': 'tn', 'certificate-id': 'ci', fixed: 'fx' },
  fixedStream: 'lobby',
};

export const settings = {
  openClaims: false,
  thingTypes: { 'thing-name': 'tn', 'certificate-id': 'ci', fixed: 'fx' },
  devicePolicy: 'device',
  credentialSeconds: 3600,
  deployment,
};

/** What a process dies of in these tests. */
export class Crash extends Error {}

type Certificate = { pem: string; isActive: boolean; policies: Set<string>; things: Set<string> };

/** AWS and the registry in memory. `crashAt`: the n-th call is the last one, done (`after`) or not (`before`). */
export const makingWorld = (
  change: Partial<Device>,
  own: { certificatePem: string },
  others: { certificatePem: string }[],
) => {
  const devices = new Map<string, Device>();
  const certificates = new Map<string, Certificate>();
  const things = new Map<string, { thingTypeName: string; serialNumber: string }>();
  const streams = new Map<string, string>();
  const denials = new Map<string, Denial>();
  const denied = new Set<string>();
  const pins = new Map<string, Pin>();
  const calls: string[] = [];
  const state = { crashAt: 0, when: 'after' as 'before' | 'after', now: Date.parse('2026-11-24T08:00:00Z'), issued: 0 };
  devices.set('CAM-1', {
    serialNumber: 'CAM-1',
    version: 1,
    status: 'registered',
    thingName: 'CAM-1',
    streamMode: 'thing-name',
    channels: [],
    registeredAt: '2026-11-24T07:00:00.000Z',
    certificates: [],
    streams: [],
    history: [],
    ...change,
  });

  const step = async <Result>(name: string, work: () => Result): Promise<Result> => {
    calls.push(name);
    const dies = calls.length === state.crashAt;
    // Everything after the death of a process is not done either, whatever was under way.
    if (state.crashAt > 0 && calls.length > state.crashAt) throw new Crash(name);
    if (dies && state.when === 'before') throw new Crash(name);
    const result = work();
    if (dies) throw new Crash(name);
    return result;
  };
  const certificate = (id: string) => {
    const found = certificates.get(id);
    if (!found) throw new Error(`no certificate ${id}`);
    return found;
  };
  const idOf = (arn: string) => arn.slice('arn:'.length);

  const giveTo = (owners: Map<string, string>, name: string, from: string, to: string) => {
    if (owners.get(name) === from) owners.set(name, to);
    return 'given' as const;
  };

  const ports: MakePorts & DuePorts & Pick<ProvisionPorts, 'pins'> = {
    pins: { find: async (publicKeySha256) => pins.get(publicKeySha256) },
    registry: {
      read: (serialNumber) => step('read', () => devices.get(serialNumber)),
      save: (before, after) =>
        step('save', () => {
          if (devices.get(after.serialNumber)?.version !== before.version) return false;
          devices.set(after.serialNumber, after);
          return true;
        }),
      due: async (now) => ({
        serialNumbers: [...devices.values()]
          .filter(({ dueAt }) => dueAt && dueAt <= now)
          .map((one) => one.serialNumber),
      }),
    },
    certificates: {
      issue: (csr) =>
        step('issue', () => {
          const certificateId = hex(++state.issued);
          const pem = (csr ? own : (others[state.issued % others.length] as typeof own)).certificatePem;
          certificates.set(certificateId, { pem, isActive: true, policies: new Set(), things: new Set() });
          const named = { certificateId, certificateArn: `arn:${certificateId}`, certificatePem: pem };
          return csr ? named : { ...named, privateKey: `key of ${certificateId}` };
        }),
      find: (certificateId) =>
        step('find', () => {
          const found = certificates.get(certificateId);
          const named = { certificateId, certificateArn: `arn:${certificateId}` };
          return found && { ...named, certificatePem: found.pem, isActive: found.isActive };
        }),
      attachPolicy: (arn, policy) => step('attachPolicy', () => void certificate(idOf(arn)).policies.add(policy)),
      detachPolicy: (arn, policy) => step('detachPolicy', () => void certificate(idOf(arn)).policies.delete(policy)),
      deactivate: (id) =>
        step('deactivate', () => {
          certificate(id).isActive = false;
        }),
      delete: (id) =>
        step('delete', () => {
          const { isActive, policies, things: attached } = certificate(id);
          if (isActive || policies.size > 0 || attached.size > 0) throw new Error('DeleteConflictException');
          certificates.delete(id);
        }),
    },
    things: {
      make: ({ thingName, thingTypeName, serialNumber }) =>
        step('makeThing', () => {
          const known = things.get(thingName);
          if (known && known.serialNumber !== serialNumber) return 'taken';
          things.set(thingName, { thingTypeName, serialNumber });
          return 'made';
        }),
      attach: (thingName, arn) => step('attachThing', () => void certificate(idOf(arn)).things.add(thingName)),
      detach: (thingName, arn) => step('detachThing', () => void certificate(idOf(arn)).things.delete(thingName)),
    },
    streams: {
      make: (name, serialNumber) =>
        step('makeStream', () => {
          if (streams.has(name)) return 'exists';
          streams.set(name, serialNumber);
          return 'made';
        }),
      isOurs: (name, serialNumber) => step('isOurs', () => streams.get(name) === serialNumber),
    },
    endings: {
      certificates: {
        find: (id) => ports.certificates.find(id),
        detachPolicy: (arn, policy) => ports.certificates.detachPolicy(arn, policy),
        activate: (id) =>
          step('activate', () => {
            certificate(id).isActive = true;
          }),
        deactivate: (id) =>
          step('deactivate', () => {
            const found = certificates.get(id);
            if (found) found.isActive = false;
          }),
        remove: (id) =>
          step('remove', () => {
            const found = certificates.get(id);
            if (found && (found.isActive || found.policies.size > 0 || found.things.size > 0)) return 'later';
            certificates.delete(id);
            return 'gone';
          }),
      },
      things: {
        detach: (thingName, arn) => ports.things.detach(thingName, arn),
        remove: (thingName, serialNumber) =>
          step('removeThing', () => {
            if (things.get(thingName)?.serialNumber === serialNumber) things.delete(thingName);
            return 'gone';
          }),
        giveTo: (thingName, from, to) =>
          step('giveThing', () => {
            const thing = things.get(thingName);
            if (thing?.serialNumber === from) thing.serialNumber = to.serialNumber;
          }),
      },
      streams: {
        remove: (name, serialNumber) =>
          step('removeStream', () => {
            if (streams.get(name) === serialNumber) streams.delete(name);
            return 'gone';
          }),
        giveTo: (name, from, to) => step('giveStream', () => giveTo(streams, name, from, to)),
      },
      connections: { drop: (clientId) => step(`drop ${clientId}`, () => undefined) },
      denials: {
        put: (all) =>
          step('putDenials', () => {
            for (const one of all) denials.set(one.certificateId, one);
          }),
        remove: (ids) =>
          step('removeDenials', () => {
            for (const id of ids) denials.delete(id);
          }),
        list: async () => [...denials.values()],
      },
      roles: {
        deny: (ids) =>
          step('deny', () => {
            denied.clear();
            for (const id of ids) denied.add(id);
          }),
      },
    },
    now: () => new Date(state.now),
  };

  const device = () => devices.get('CAM-1') as Device;
  /** Active and with a policy, and on no record: there must never be one. */
  const unknownPower = () =>
    [...certificates]
      .filter(([, { isActive, policies }]) => isActive && policies.size > 0)
      .map(([id]) => id)
      .filter((id) => !device().certificates.some((one) => one.id === id));
  return { ports, pins, devices, certificates, things, streams, denials, denied, calls, state, device, unknownPower };
};
