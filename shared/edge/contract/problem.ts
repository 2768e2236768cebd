import * as z from 'zod/mini';
import { statusOf } from '../problem.ts';

/** RFC 9457, `application/problem+json`. */
export const problemAnswer = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.enum([...Object.keys(statusOf), 'internal']),
  detail: z.optional(z.string()),
  errors: z.optional(z.array(z.object({ pointer: z.string(), detail: z.string() }))),
  /** Of a `version-conflict`: the version that the device has now. */
  version: z.optional(z.int()),
});
