import type { Link } from './link.ts';
import type { Patient } from './patient.ts';
import { lookAtStream } from './stream.ts';

export const fixedStreamLink: Link<Patient> = {
  name: 'fixed stream',
  asks: 'Is the stream of fixed mode there, and does it keep what it gets?',
  subjects: ({ stack, aws }) =>
    stack.ofType('AWS::KinesisVideo::Stream').map(({ physicalId: name = '', properties }) => ({
      subject: name,
      async look() {
        const { DataRetentionInHours = 0 } = (await stack.expected(properties)) as { DataRetentionInHours?: number };
        return lookAtStream(aws, name, Number(DataRetentionInHours));
      },
    })),
};
