import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { announce, type ManifestRow, newSerial, openClaim, registerThing, takeCertificate } from '../camera-claim.ts';
import { newClaimCertificate } from '../claim-certificates.ts';
import { askForCredentials } from '../credential-provider.ts';
import { type DeviceKey, type Held, makeDeviceKey } from '../device-key.ts';
import { expectNoUnknownPower, idsOf, powerfulCertificates, readClaims, readDevice } from '../device-records.ts';
import { createHttpApi } from '../http-api.ts';
import { type LocalRun, type Outputs, startLocalRun } from '../local-run.ts';
import { ConnectRefused, connectDevice, type MqttDevice } from '../mqtt-device.ts';
import { expectNothingMade } from '../nothing-made.ts';

let run: LocalRun;
let outputs: Outputs;
const serials: string[] = [];

beforeAll(async () => {
  run = await startLocalRun();
  ({ outputs } = run);
  // Four at once, so that the hook's first environments are loaded before the races begin.
  const rivals = await Promise.all(Array.from({ length: 4 }, () => ready()));
  await Promise.all(rivals.map(async (rival) => rival.claims(await announced())));
});
afterAll(() => run.stop());

async function announced(row: Partial<ManifestRow> = {}): Promise<string> {
  const serialNumber = newSerial();
  await announce(outputs, { serialNumber, ...row });
  serials.push(serialNumber);
  return serialNumber;
}

interface Rival extends Held {
  certificateId: string;
  key: DeviceKey;
  claims(SerialNumber: string): Promise<'accepted' | 'rejected'>;
  session: MqttDevice;
}

/** A device with its certificate, one step before RegisterThing. */
async function ready({ key, held }: { key?: DeviceKey; held?: Held } = {}): Promise<Rival> {
  const session = await openClaim(outputs, held ? { held } : {});
  const pending = await takeCertificate(session, key);
  return {
    ...pending,
    session,
    async claims(SerialNumber) {
      return (await registerThing(session, outputs.claim.templateName, pending.ownershipToken, { SerialNumber }))
        .outcome;
    },
  };
}

/** They all ask at the same instant; the winners, and the losers. */
async function race(rivals: Rival[], serialNumber: string): Promise<{ winners: Rival[]; losers: Rival[] }> {
  const outcomes = await Promise.all(rivals.map((rival) => rival.claims(serialNumber)));
  await Promise.all(rivals.map(({ session }) => session.close()));
  return {
    winners: rivals.filter((_, index) => outcomes[index] === 'accepted'),
    losers: rivals.filter((_, index) => outcomes[index] !== 'accepted'),
  };
}

/** Its certificate opens nothing: not MQTT, not the credential provider. */
async function expectPowerless({ certificateId, ...held }: Rival, thingName: string): Promise<void> {
  await expectNothingMade(outputs, { certificateId });
  await expect(connectDevice(outputs, { clientId: thingName, held })).rejects.toThrow(ConnectRefused);
  const roleAlias = `${outputs.claim.templateName.replace(/-claim$/, '')}-thing-name`;
  expect(await askForCredentials(outputs, { held, roleAlias, thingName })).toMatchObject({ status: 403 });
}

describe('twenty keys at once for one serial number', () => {
  test('exactly one wins; the others are denied, learn nothing and have no power', async () => {
    const serialNumber = await announced();
    const rivals = await Promise.all(Array.from({ length: 20 }, () => ready()));
    const { winners, losers } = await race(rivals, serialNumber);
    expect(winners).toHaveLength(1);
    expect(losers).toHaveLength(19);

    const device = await readDevice(outputs, serialNumber);
    const [winner] = winners as [Rival];
    expect(idsOf(device)).toEqual([winner.certificateId]);
    expect(device).toMatchObject({ status: 'claimed', contested: { reason: 'already-claimed' } });

    const claims = await readClaims(outputs, serialNumber);
    expect(claims.filter(({ outcome }) => outcome === 'granted')).toMatchObject([
      { certificateId: winner.certificateId },
    ]);
    const refusals = claims.filter(({ outcome }) => outcome === 'refused');
    expect(new Set(refusals.map(({ certificateId }) => certificateId))).toEqual(
      new Set(losers.map(({ certificateId }) => certificateId)),
    );
    expect(new Set(refusals.map(({ reason }) => reason))).toEqual(new Set(['already-claimed']));

    const powerful = await powerfulCertificates(outputs);
    expect(rivals.filter(({ certificateId }) => powerful.includes(certificateId))).toEqual(winners);
    await expectPowerless(losers[0] as Rival, serialNumber);
    await expectNoUnknownPower(outputs, serials);
  });

  test('where one is pinned, that one wins, whenever it comes', async () => {
    const key = await makeDeviceKey();
    const serialNumber = await announced({ publicKeySha256: key.publicKeySha256 });
    const strangers = await Promise.all(Array.from({ length: 10 }, () => ready()));
    const pinned = await ready({ key });
    const { winners } = await race([...strangers, pinned], serialNumber);
    expect(winners).toEqual([pinned]);
    const refusals = (await readClaims(outputs, serialNumber)).filter(({ outcome }) => outcome === 'refused');
    expect(refusals).toHaveLength(10);
    expect(new Set(refusals.map(({ reason }) => reason))).toEqual(new Set(['key-mismatch']));
  });

  test('one key five times is one camera: every certificate is known, none is lost', async () => {
    const key = await makeDeviceKey();
    const serialNumber = await announced();
    const twins = await Promise.all(Array.from({ length: 5 }, () => ready({ key })));
    const { winners, losers } = await race(twins, serialNumber);
    expect(winners.length).toBeGreaterThanOrEqual(1);
    const device = await readDevice(outputs, serialNumber);
    expect(new Set(idsOf(device, 'allowed'))).toEqual(new Set(winners.map(({ certificateId }) => certificateId)));
    for (const { certificateId } of losers) await expectNothingMade(outputs, { certificateId });
    await expectNoUnknownPower(outputs, serials);
  });
});

describe('one serial number under two claim certificates', () => {
  test('of which one is of another batch: refused, and told to ops', async () => {
    const serialNumber = await announced({ batch: 'b-1' });
    const wrong = await ready({ held: await newClaimCertificate(outputs, 'b-2') });
    const right = await ready({ held: await newClaimCertificate(outputs, 'b-1') });
    expect((await race([wrong, right], serialNumber)).winners).toEqual([right]);
    const claims = await readClaims(outputs, serialNumber);
    expect(claims.find(({ certificateId }) => certificateId === wrong.certificateId)).toMatchObject({
      outcome: 'refused',
      reason: 'wrong-claim-certificate',
    });
    expect((await readDevice(outputs, serialNumber)).contested).toBeDefined();
    await expectPowerless(wrong, serialNumber);
  });

  test('both good for it: one key wins', async () => {
    const serialNumber = await announced();
    const rivals = await Promise.all([ready({ held: await newClaimCertificate(outputs) }), ready()]);
    const { winners, losers } = await race(rivals, serialNumber);
    expect(winners).toHaveLength(1);
    expect(idsOf(await readDevice(outputs, serialNumber))).toEqual([winners[0]?.certificateId]);
    await expectPowerless(losers[0] as Rival, serialNumber);
  });
});

describe('one key under two serial numbers', () => {
  test('is two cameras, each with its own certificate, thing and stream', async () => {
    const key = await makeDeviceKey();
    const [first, second] = [await announced(), await announced()];
    const [one, other] = await Promise.all([ready({ key }), ready({ key })]);
    expect(await Promise.all([one.claims(first), other.claims(second)])).toEqual(['accepted', 'accepted']);
    expect(idsOf(await readDevice(outputs, first))).toEqual([one.certificateId]);
    expect(idsOf(await readDevice(outputs, second))).toEqual([other.certificateId]);
    // The key is the same, the certificate is what counts.
    await expect(connectDevice(outputs, { clientId: second, held: one })).rejects.toThrow(ConnectRefused);
    const roleAlias = `${outputs.claim.templateName.replace(/-claim$/, '')}-thing-name`;
    expect(await askForCredentials(outputs, { held: one, roleAlias, thingName: second })).toMatchObject({
      status: 403,
    });
    await expectNoUnknownPower(outputs, serials);
  });

  test('of which one is pinned to it: the other is still free to whoever comes, the pinned one is not', async () => {
    const [pinnedKey, otherKey] = [await makeDeviceKey(), await makeDeviceKey()];
    const pinned = await announced({ publicKeySha256: pinnedKey.publicKeySha256 });
    const other = await ready({ key: otherKey });
    expect(await other.claims(pinned)).toBe('rejected');
    expect(await other.claims(await announced())).toBe('accepted');
    const own = await ready({ key: pinnedKey });
    expect(await own.claims(pinned)).toBe('accepted');
    await Promise.all([other, own].map(({ session }) => session.close()));
  });
});

describe('POST /devices of one serial number at the same instant', () => {
  const post = (devices: object[]) =>
    createHttpApi(outputs, outputs.personas.factory)
      .post('/devices', { devices })
      .then(({ status, body }) => {
        expect(status).toBe(200);
        return body.results.map(({ outcome }: { outcome: string }) => outcome) as string[];
      });

  test('creates it once', async () => {
    const serialNumber = newSerial();
    const outcomes = (await Promise.all(Array.from({ length: 6 }, () => post([{ serialNumber }])))).flat();
    expect(outcomes.sort()).toEqual(['created', ...Array(5).fill('unchanged')]);
    const { body } = await createHttpApi(outputs, outputs.personas.operator).get(`/devices/${serialNumber}`);
    expect(body).toMatchObject({ version: 1, history: [{ what: 'announced' }] });
  });

  test('of two rows that differ, each gets a true verdict and the last to write stands', async () => {
    const serialNumber = newSerial();
    const rows = [
      { serialNumber, batch: 'b-1' },
      { serialNumber, batch: 'b-2' },
    ];
    const outcomes = (await Promise.all(rows.map((row) => post([row])))).flat();
    expect([...outcomes].sort()).toEqual(['created', 'updated']);
    const { batch } = (await createHttpApi(outputs, outputs.personas.operator).get(`/devices/${serialNumber}`)).body;
    expect(batch).toBe(rows[outcomes.indexOf('updated')]?.batch);
  });

  test('and its claim: either is whole', async () => {
    const serialNumber = newSerial();
    const rival = await ready();
    const [outcome] = await Promise.all([rival.claims(serialNumber), post([{ serialNumber }])]);
    const device = await readDevice(outputs, serialNumber);
    expect(device.status).toBe(outcome === 'accepted' ? 'claimed' : 'registered');
    expect(idsOf(device)).toEqual(outcome === 'accepted' ? [rival.certificateId] : []);
    await rival.session.close();
  });
});
