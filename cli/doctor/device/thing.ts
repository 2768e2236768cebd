import { DescribeThingCommand } from '@aws-sdk/client-iot';
import { unlessAbsent } from '../aws.ts';
import { broken, type Flaw, type Link, well } from '../link.ts';
import { byAws, byHand } from '../remedy.ts';
import { modeOf } from './modes.ts';
import { type DevicePatient, isLiving, recorded } from './record.ts';

export const thingLink: Link<DevicePatient> = {
  name: 'thing',
  asks: 'Is there a thing for its place, of the type of its stream mode?',
  async subjects(patient) {
    const { stack, aws } = patient;
    const device = await recorded(patient);
    const { thingName, serialNumber, streamMode } = device;
    return [
      {
        subject: thingName,
        async look() {
          if (device.status === 'registered') return well('none yet: it has not claimed');
          const { thingType: thingTypeName } = await modeOf(stack, streamMode);
          const thing = await unlessAbsent(aws.iot.send(new DescribeThingCommand({ thingName })));
          if (device.status === 'retired') return well(thing ? 'another device has its place' : 'none: it is retired');
          // The same as the claim template and the line make.
          const attributes = { serialNumber, batch: device.batch ?? '-' };
          if (!thing) {
            const made = { thingName, thingTypeName, attributePayload: { attributes } };
            return broken('there is no such thing', byAws('iot', 'CreateThing', made));
          }
          if (thing.attributes?.serialNumber !== serialNumber) {
            return broken(
              `it is somebody else's: its attribute serialNumber is ${thing.attributes?.serialNumber ?? 'not there'}`,
              byHand(
                `look whose it is (aws iot describe-thing --thing-name ${thingName}), and delete it or give this camera another serial number`,
              ),
            );
          }
          const flaws: Flaw[] = [];
          if (thing.thingTypeName !== thingTypeName) {
            flaws.push({
              says: `its type is ${thing.thingTypeName ?? 'none'}, not ${thingTypeName}: its credentials may do nothing`,
              remedy: byAws('iot', 'UpdateThing', { thingName, thingTypeName }),
            });
          }
          if (thing.attributes.batch !== attributes.batch) {
            flaws.push({
              says: `its attribute batch is ${thing.attributes.batch ?? 'not there'}, not ${attributes.batch}`,
              remedy: byAws('iot', 'UpdateThing', { thingName, attributePayload: { attributes, merge: true } }),
            });
          }
          return { flaws, note: isLiving(device) ? thingTypeName : undefined };
        },
      },
    ];
  },
};
