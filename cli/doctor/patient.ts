import type { Api } from '../api.ts';
import type { Aws, AwsSettings } from './aws.ts';
import type { Stack } from './stack.ts';

/** The deployment that is looked at, with whoever looks. */
export interface Patient {
  stack: Stack;
  aws: Aws;
  api: Api;
  /** The stand-in's; AWS's own if left out. */
  endpoint: AwsSettings['endpoint'];
  /** Certificates of those who may sign for the endpoints; the public ones if left out. */
  ca: string | undefined;
}
