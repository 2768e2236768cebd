import { ListTagsForStreamCommand } from '@aws-sdk/client-kinesis-video';
import { unlessAbsent } from '../aws.ts';
import { broken, type Link, type Look, type Subject, well } from '../link.ts';
import { byHand } from '../remedy.ts';
import { lookAtStream } from '../stream.ts';
import { modeOf } from './modes.ts';
import { type DevicePatient, isLiving, recorded } from './record.ts';

/** Tags of a stream that a registry has made for a device; whatever lacks them is never touched. */
const tagsOf = (registry: string, serialNumber: string) => ({
  'firstlight:registry': registry,
  'firstlight:device': serialNumber,
});

export const streamsLink: Link<DevicePatient> = {
  name: 'streams',
  asks: 'Are its streams there, its own, and do they keep what they get?',
  async subjects(patient): Promise<Subject[]> {
    const device = await recorded(patient);
    const { stack, aws } = patient;
    const { serialNumber, streamMode } = device;
    if (!isLiving(device)) return [{ subject: 'none', look: async () => well('it needs none') }];
    const { fixedStream, retentionHours } = await modeOf(stack, streamMode);
    if (streamMode === 'fixed') {
      return [{ subject: fixedStream, look: () => lookAtStream(aws, fixedStream, retentionHours) }];
    }
    const tags = tagsOf(stack.outputs.DevicesTableName ?? '', serialNumber);
    return device.streams
      .filter(({ until }) => until === undefined)
      .map(({ name }) => ({ subject: name, look: () => lookAtOwn(name, tags, patient, retentionHours) }));
  },
};

async function lookAtOwn(
  StreamName: string,
  tags: Record<string, string>,
  { aws }: DevicePatient,
  retentionHours: number,
): Promise<Look> {
  const look = await lookAtStream(aws, StreamName, retentionHours, tags);
  const answer = await unlessAbsent(aws.kinesisVideo.send(new ListTagsForStreamCommand({ StreamName })));
  if (!answer || Object.entries(tags).every(([tag, value]) => answer.Tags?.[tag] === value)) return look;
  const [of] = Object.entries(tags).flatMap(([tag, value]) => {
    const actual = answer.Tags?.[tag];
    return actual === value ? [] : [`its tag ${tag} is ${actual ?? 'not there'}, not ${value}`];
  });
  return broken(
    `it is somebody else's: ${of}`,
    byHand(
      `look what it holds (aws kinesisvideo describe-stream --stream-name ${StreamName}); then its owner deletes it, or this camera gets another serial number`,
    ),
  );
}
