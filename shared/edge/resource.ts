import * as z from 'zod/mini';
import { log, logError } from './log.ts';

/** CloudFormation user guide, "Custom resource request types". */
const request = z.object({
  RequestType: z.enum(['Create', 'Update', 'Delete']),
  ResponseURL: z.url(),
  StackId: z.string(),
  RequestId: z.string(),
  LogicalResourceId: z.string(),
  PhysicalResourceId: z.optional(z.string()),
});

/**
 * A custom resource that only finds out values: nothing is made, so nothing is deleted. It always answers; a stack that is
 * not answered hangs for an hour.
 */
export const resource =
  (physicalId: string, find: () => Promise<Record<string, string>>) =>
  async (event: unknown): Promise<void> => {
    const { ResponseURL, RequestType, ...asked } = request.parse(event);
    const { StackId, RequestId, LogicalResourceId } = asked;
    // Another physical id would make CloudFormation delete the old one.
    const base = { StackId, RequestId, LogicalResourceId, PhysicalResourceId: asked.PhysicalResourceId ?? physicalId };
    try {
      const Data = RequestType === 'Delete' ? {} : await find();
      await answer(ResponseURL, { ...base, Status: 'SUCCESS', Data });
      log('resource', { outcome: 'answered', request: RequestType, ...Data });
    } catch (error) {
      logError('resource', error, { outcome: 'failed', request: RequestType });
      const Reason = error instanceof Error ? `${error.name}: ${error.message}` : 'unknown';
      await answer(ResponseURL, { ...base, Status: 'FAILED', Reason });
    }
  };

const answer = async (url: string, body: Record<string, unknown>): Promise<void> => {
  // The URL is signed for an empty content type (CloudFormation user guide, cfn-response module).
  const response = await fetch(url, {
    method: 'PUT',
    headers: { 'content-type': '' },
    body: Buffer.from(JSON.stringify(body)),
    signal: AbortSignal.timeout(10_000),
  });
  if (!response.ok) throw new Error(`CloudFormation did not take the answer: HTTP ${response.status}`);
};
