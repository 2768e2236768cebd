import { type Camera, renewThing, takeCertificate } from './camera-claim.ts';
import type { Outputs } from './local-run.ts';
import { type Answer, connectDevice, type MqttDevice } from './mqtt-device.ts';

/** Connects as the camera's own thing: each time a sign that this certificate lives. */
export const connectCamera = (outputs: Outputs, camera: Camera): Promise<MqttDevice> =>
  connectDevice(outputs, { clientId: camera.thingName, held: camera });

/** A certificate for a new key and RegisterThing, over the camera's own session; `camera` is what it would be with it. */
export async function askToRenew(
  outputs: Outputs,
  camera: Camera,
  session: MqttDevice,
  parameters: Record<string, string> = { SerialNumber: camera.serialNumber },
): Promise<{ answer: Answer; camera: Camera; again: () => Promise<Answer> }> {
  const { ownershipToken, certificateId, certificatePem, privateKeyPem } = await takeCertificate(session);
  const register = () => renewThing(session, outputs, ownershipToken, parameters);
  const answer = await register();
  const configuration = answer.content.deviceConfiguration ?? camera.configuration;
  const next = { ...camera, certificateId, certificatePem, privateKeyPem, configuration };
  return { answer, camera: next, again: register };
}

/** The same, which must be let in. */
export async function renewed(outputs: Outputs, camera: Camera, session: MqttDevice): Promise<Camera> {
  const { answer, camera: next } = await askToRenew(outputs, camera, session);
  if (answer.outcome !== 'accepted') throw new Error(`not renewed: ${answer.payload}`);
  return next;
}
