import { DescribeStreamCommand } from '@aws-sdk/client-kinesis-video';
import { unlessAbsent } from './aws.ts';
import { broken, type Look, well } from './link.ts';
import type { Patient } from './patient.ts';
import { byAws, byHand } from './remedy.ts';

/** Whether a stream can be written to and keeps what it gets. `tags`: those that it is made with. */
export async function lookAtStream(
  aws: Patient['aws'],
  StreamName: string,
  retentionHours: number,
  Tags?: Record<string, string>,
): Promise<Look> {
  const answer = await unlessAbsent(aws.kinesisVideo.send(new DescribeStreamCommand({ StreamName })));
  const stream = answer?.StreamInfo;
  if (!stream) {
    const made = { StreamName, DataRetentionInHours: retentionHours, ...(Tags && { Tags }) };
    return broken('there is no such stream', byAws('kinesisvideo', 'CreateStream', made));
  }
  if (stream.Status === 'DELETING') return broken('it is being deleted', byHand('wait a minute, and ask again'));
  const kept = stream.DataRetentionInHours ?? 0;
  if (kept > 0) return well(`${stream.Status}, keeps ${kept} h`);
  return broken(
    'it keeps nothing: no fragment is ever PERSISTED',
    byAws('kinesisvideo', 'UpdateDataRetention', {
      StreamName,
      CurrentVersion: stream.Version,
      Operation: 'INCREASE_DATA_RETENTION',
      DataRetentionChangeInHours: retentionHours || 24,
    }),
  );
}
