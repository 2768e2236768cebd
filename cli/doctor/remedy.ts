/** One call of an AWS API, in the words of its reference. */
export interface AwsCall {
  service: 'iot' | 'iam' | 'lambda' | 'dynamodb' | 'kinesisvideo' | 'events';
  operation: string;
  input: Record<string, unknown>;
}

/** How a link is mended. The command is for people; programs find the same as a call, where it is one call of AWS. */
export interface Remedy {
  command: string;
  call?: AwsCall;
}

/** A line of the AWS CLI, which names its commands and options after operations and their members. */
export function byAws(service: AwsCall['service'], operation: string, input: Record<string, unknown>): Remedy {
  const options = Object.entries(input).flatMap(([name, value]) => {
    const option = `--${kebab(name)}`;
    if (typeof value === 'boolean') return value ? [option] : [`--no-${option.slice(2)}`];
    return [option, quoted(typeof value === 'object' ? JSON.stringify(value) : String(value))];
  });
  const command = ['aws', service, kebab(operation), ...options].join(' ');
  return { command, call: { service, operation, input } };
}

/** An invocation, whose answer the AWS CLI wants a file for. */
export function byInvoking(FunctionName: string): Remedy {
  const { command, call } = byAws('lambda', 'Invoke', { FunctionName });
  return { command: `${command} /dev/stdout`, ...(call && { call }) };
}

/** What no single call mends. */
export const byHand = (command: string): Remedy => ({ command });

/** botocore's `xform_name`: a capital after a small letter, and the last of several capitals, begins a word. */
const kebab = (name: string): string =>
  name
    .replace(/([a-z\d])([A-Z])/g, '$1-$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1-$2')
    .toLowerCase();

/** As a POSIX shell takes it for one word. */
const quoted = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);
