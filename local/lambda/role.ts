import { AwsError } from '../error.ts';
import type { Identities, Identity } from '../iam/identities.ts';
import type { LambdaFunction } from './state.ts';

const CREDENTIALS_SECONDS = 3600;

/** Throws AwsError, in Lambda's sentence, when the role is not there or does not trust Lambda. */
export function roleCredentials(fn: LambdaFunction, identities: Identities): Required<Identity> {
  try {
    return identities.assumeRole({
      roleArn: fn.role,
      principal: { Service: 'lambda.amazonaws.com' },
      // Lambda guide, "Defining Lambda function permissions with an execution role": the session is called like the function.
      sessionName: fn.functionName,
      durationSeconds: CREDENTIALS_SECONDS,
      sessionContext: { 'lambda:SourceFunctionArn': fn.functionArn },
    });
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    const text = 'The role defined for the function cannot be assumed by Lambda.';
    throw new AwsError('InvalidParameterValueException', 400, text, { Type: 'User' });
  }
}
