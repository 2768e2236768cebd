import { ListEventSourceMappingsCommand } from '@aws-sdk/client-lambda';
import { unlessAbsent } from './aws.ts';
import { broken, type Link, well } from './link.ts';
import type { Patient } from './patient.ts';
import { byAws } from './remedy.ts';

interface Properties {
  EventSourceArn: string;
  FunctionName: string;
}

export const eventSourcesLink: Link<Patient> = {
  name: 'event sources',
  asks: "Are the tables' streams read, so that changes are counted and told?",
  subjects: ({ stack, aws }) =>
    stack.ofType('AWS::Lambda::EventSourceMapping').map(({ logicalId, properties }) => ({
      subject: logicalId,
      async look() {
        const expected = (await stack.expected(properties)) as Properties;
        const { FunctionName, EventSourceArn } = expected;
        // Not by its id: a stream that was switched off and on has another ARN, and then another mapping.
        const asked = aws.lambda.send(new ListEventSourceMappingsCommand({ FunctionName, EventSourceArn }));
        const { EventSourceMappings = [] } = (await unlessAbsent(asked)) ?? {};
        const [first] = EventSourceMappings;
        if (!first) {
          const creates = byAws('lambda', 'CreateEventSourceMapping', { ...expected });
          return broken(`nothing reads ${EventSourceArn} for ${FunctionName}`, creates);
        }
        if (EventSourceMappings.some(({ State = '' }) => /^(Enabl|Creat|Updat)/.test(State))) return well();
        return broken(
          `it is ${first.State}: nothing is counted or told`,
          byAws('lambda', 'UpdateEventSourceMapping', { UUID: first.UUID, Enabled: true }),
        );
      },
    })),
};
