import { DescribeThingTypeCommand } from '@aws-sdk/client-iot';
import { unlessAbsent } from './aws.ts';
import { broken, type Link, well } from './link.ts';
import type { Patient } from './patient.ts';
import { byAws } from './remedy.ts';

export const thingTypesLink: Link<Patient> = {
  name: 'thing types',
  asks: 'Is there a thing type for each stream mode, which new things may have?',
  subjects: ({ stack, aws }) =>
    stack.ofType('AWS::IoT::ThingType').map(({ physicalId: thingTypeName = '' }) => ({
      subject: thingTypeName,
      async look() {
        const type = await unlessAbsent(aws.iot.send(new DescribeThingTypeCommand({ thingTypeName })));
        if (!type) return broken('there is no such thing type', byAws('iot', 'CreateThingType', { thingTypeName }));
        if (!type.thingTypeMetadata?.deprecated) return well();
        return broken(
          'it is deprecated: no new thing can have it',
          byAws('iot', 'DeprecateThingType', { thingTypeName, undoDeprecate: true }),
        );
      },
    })),
};
