import { ApiError } from '../api.ts';
import { inWords } from '../connect.ts';
import { namesIn } from './functions.ts';
import { broken, type Link, NotChecked, well } from './link.ts';
import type { Patient } from './patient.ts';
import { byHand } from './remedy.ts';
import type { Stack } from './stack.ts';

const ROUTE = 'GET /openapi.json';

export const apiLink: Link<Patient> = {
  name: 'API',
  asks: 'Does the HTTP API answer?',
  subjects: ({ stack, api }) => [
    {
      subject: stack.outputs.ApiUrl ?? '',
      async look() {
        try {
          const { info } = (await read(api, ROUTE.replace('GET ', ''))) as { info?: { title?: string } };
          return well(info?.title);
        } catch (error) {
          if (!(error instanceof NotChecked) || isForbidden(error.cause)) throw error;
          return broken(error.message, byHand(`aws logs tail /aws/lambda/${functionOf(ROUTE, stack)} --since 10m`));
        }
      },
    },
  ],
};

/** API Gateway says no more than this to keys without the right. */
const isForbidden = (error: unknown): boolean =>
  error instanceof ApiError && error.status === 403 && error.code === undefined;

/** One read of the API. Rejects with NotChecked, whose cause is a CommandFailed, or the ApiError of a caller without the right. */
export async function read(api: Patient['api'], path: string): Promise<unknown> {
  try {
    return await api.get(path);
  } catch (error) {
    if (isForbidden(error)) {
      throw new NotChecked(`you lack execute-api:Invoke on GET${path.replace(/\?.*$/, '')}`, { cause: error });
    }
    const said = inWords(error) as Error;
    throw new NotChecked(said.message, { cause: said });
  }
}

/** The function behind a route. */
function functionOf(routeKey: string, { resources, ofType }: Stack): string | undefined {
  const route = ofType('AWS::ApiGatewayV2::Route').find(({ properties }) => properties.RouteKey === routeKey);
  const called = namesIn(route?.properties.Target).flatMap((integration) =>
    namesIn(resources.find(({ logicalId }) => logicalId === integration)?.properties.IntegrationUri),
  );
  return ofType('AWS::Lambda::Function').find(({ logicalId }) => called.includes(logicalId))?.physicalId;
}
