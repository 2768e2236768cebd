import { DescribeTableCommand, DescribeTimeToLiveCommand } from '@aws-sdk/client-dynamodb';
import { unlessAbsent } from './aws.ts';
import { broken, type Flaw, type Link, well } from './link.ts';
import type { Patient } from './patient.ts';
import { byAws, byHand } from './remedy.ts';

interface Properties {
  StreamSpecification?: { StreamViewType: string };
  GlobalSecondaryIndexes?: { IndexName: string }[];
  TimeToLiveSpecification?: { AttributeName: string; Enabled: boolean };
}

export const tablesLink: Link<Patient> = {
  name: 'tables',
  asks: 'Are the tables there, with their indexes, and do they tell of their changes and forget in time?',
  subjects: ({ stack, aws }) =>
    stack.ofType('AWS::DynamoDB::Table').flatMap(({ physicalId: TableName = '', properties }) => {
      const { StreamSpecification, GlobalSecondaryIndexes = [], TimeToLiveSpecification } = properties as Properties;
      const table = {
        subject: TableName,
        async look() {
          const answer = await unlessAbsent(aws.dynamoDb.send(new DescribeTableCommand({ TableName })));
          const Table = answer?.Table;
          if (!Table) {
            const restore = `aws dynamodb restore-table-to-point-in-time --source-table-name ${TableName} --target-table-name ${TableName} --use-latest-restorable-time`;
            return broken(
              'there is no such table',
              byHand(`${restore} (AWS keeps a deleted table's backup for 35 days)`),
            );
          }
          const flaws: Flaw[] = [];
          if (Table.TableStatus !== 'ACTIVE') flaws.push({ says: `it is ${Table.TableStatus}` });
          const view = Table.StreamSpecification?.StreamEnabled ? Table.StreamSpecification.StreamViewType : undefined;
          if (StreamSpecification && view !== StreamSpecification.StreamViewType) {
            const enabled = { StreamEnabled: true, ...StreamSpecification };
            flaws.push({
              says: view ? `its stream tells ${view}` : 'its stream is switched off: nothing is counted or told',
              remedy: byAws('dynamodb', 'UpdateTable', { TableName, StreamSpecification: enabled }),
            });
          }
          for (const { IndexName } of GlobalSecondaryIndexes) {
            const status = Table.GlobalSecondaryIndexes?.find((one) => one.IndexName === IndexName)?.IndexStatus;
            if (status !== 'ACTIVE') flaws.push({ says: `its index ${IndexName} is ${status ?? 'not there'}` });
          }
          return { flaws };
        },
      };
      if (!TimeToLiveSpecification) return [table];
      const timeToLive = {
        subject: `${TableName} (time to live)`,
        async look() {
          const asked = aws.dynamoDb.send(new DescribeTimeToLiveCommand({ TableName }));
          const { TimeToLiveDescription: actual } = (await unlessAbsent(asked)) ?? {};
          if (/^ENABL/.test(actual?.TimeToLiveStatus ?? '')) return well();
          return broken(
            'what should end by itself is kept for ever',
            byAws('dynamodb', 'UpdateTimeToLive', { TableName, TimeToLiveSpecification }),
          );
        },
      };
      return [table, timeToLive];
    }),
};
