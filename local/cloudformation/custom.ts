import { randomUUID } from 'node:crypto';
import type { HttpAnswer, HttpRequest } from '../service.ts';
import type { Created, Properties } from './resource-type.ts';

const PATH = '/_cloudformation/responses/';

/** CloudFormation's own bounds: an hour by default. A desk does not wait so long. */
const PATIENCE_MS = 60_000;

interface Response {
  Status: 'SUCCESS' | 'FAILED';
  Reason?: string;
  PhysicalResourceId?: string;
  Data?: Record<string, unknown>;
}

/** Custom resources: a function is told what to make and PUTs its answer to a URL (User Guide, "Custom resource request objects"). */
export interface CustomResources {
  /** The door's part: takes the answers in. Undefined for any other path. */
  answer(request: HttpRequest): HttpAnswer | undefined;
  create(request: {
    type: string;
    logicalId: string;
    stackId: string;
    properties: Properties;
    invoke(functionArn: string, event: unknown): Promise<{ payload: unknown; functionError?: string }>;
  }): Promise<Created>;
}

export function createCustomResources({ endpoint }: { endpoint: () => string }): CustomResources {
  const waiting = new Map<string, (response: Response) => void>();

  return {
    answer({ method, path, body }) {
      if (!path.startsWith(PATH)) return undefined;
      const id = path.slice(PATH.length);
      const settle = waiting.get(id);
      if (method !== 'PUT' || !settle) return { status: 403, headers: {}, body: '' };
      try {
        settle(JSON.parse(body.toString('utf8')));
      } catch {
        settle({ Status: 'FAILED', Reason: 'Invalid JSON in the response' });
      }
      return { status: 200, headers: {}, body: '' };
    },

    async create({ type, logicalId, stackId, properties, invoke }) {
      const { ServiceToken } = properties;
      if (typeof ServiceToken !== 'string') throw new Error('ServiceToken is missing');
      const id = randomUUID();
      const { promise, resolve, reject } = Promise.withResolvers<Response>();
      waiting.set(id, resolve);
      const timer = setTimeout(() => reject(new Error('the function did not answer to its ResponseURL')), PATIENCE_MS);
      const event = {
        RequestType: 'Create',
        ResponseURL: `${endpoint()}${PATH}${id}`,
        StackId: stackId,
        RequestId: id,
        ResourceType: type,
        LogicalResourceId: logicalId,
        ServiceToken,
        // Every property arrives as text.
        ResourceProperties: texts(properties),
      };
      try {
        const { payload, functionError } = await invoke(ServiceToken, event);
        // CloudFormation would wait until its hour is over; the function's own error says more.
        if (functionError) throw new Error(`the function failed: ${JSON.stringify(payload)}`);
        const response = await promise;
        if (response.Status !== 'SUCCESS') throw new Error(response.Reason ?? 'the function gave no reason');
        if (!response.PhysicalResourceId) throw new Error('Invalid PhysicalResourceId');
        return { id: response.PhysicalResourceId, attributes: response.Data ?? {} };
      } finally {
        clearTimeout(timer);
        waiting.delete(id);
      }
    },
  };
}

function texts(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(texts);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, texts(item)]));
  }
  return String(value);
}
