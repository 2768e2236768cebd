import type { Operation } from '../service.ts';
import { checkText, invalid } from './refusals.ts';

export interface Endpoints {
  /** `host`, or `host:port` where the port is not the usual one. */
  mqtt: string;
  credentials: string;
}

export function endpointOperations({ endpoints }: { endpoints: () => Endpoints }): Record<string, Operation> {
  return {
    DescribeEndpoint({ endpointType = 'iot:Data' }) {
      checkText(endpointType, 'endpointType', { max: 128 });
      const { mqtt, credentials } = endpoints();
      switch (endpointType) {
        case 'iot:Data':
        case 'iot:Data-ATS':
          return { endpointAddress: mqtt };
        case 'iot:CredentialProvider':
          return { endpointAddress: credentials };
        default:
          throw invalid(`Endpoint type ${endpointType} is not supported`);
      }
    },
  };
}
