import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { AwsError } from './error.ts';
import type { Identity } from './iam/identities.ts';
import type { Need } from './policy.ts';

/** A request as it was sent: nothing decoded, no header re-added. */
export interface HttpHead {
  method: string;
  /** As sent, without the query. */
  path: string;
  /** As sent, without the `?`; empty when there is none. */
  query: string;
  headers: IncomingHttpHeaders;
}

export interface HttpRequest extends HttpHead {
  body: Buffer;
}

export interface HttpAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

export interface Call {
  service: string;
  operation: string;
  requestId: string;
  caller: Identity;
}

// biome-ignore lint/suspicious/noExplicitAny: an input has been shaped by its protocol; the operation names the members it reads.
export type Operation = (input: any, call: Call) => unknown;

/** How a service's calls look on the wire. */
export interface Protocol {
  /** Throws AwsError (UnknownOperationException, SerializationException …). */
  read(request: HttpRequest): { operation: string; input: unknown };
  write(operation: string, output: unknown, requestId: string): HttpAnswer;
  fail(error: AwsError, requestId: string): HttpAnswer;
}

/** One AWS service behind the one HTTP door. */
export interface Service {
  /** SigV4 signing name; the credential scope routes a call here. */
  name: string;
  protocol: Protocol;
  operations: Record<string, Operation>;
  needs(operation: string, input: unknown): Need[];
  /** Calls whose body must not be read whole before the answer begins (PutMedia). */
  streaming?: {
    recognise(head: HttpHead): { operation: string; input: unknown } | undefined;
    serve(input: unknown, call: Call, request: IncomingMessage, response: ServerResponse): void | Promise<void>;
  };
  /** Everything the service remembers, as data that `structuredClone` can copy: a reset puts it back. */
  snapshot(): unknown | Promise<unknown>;
  restore(snapshot: unknown): void | Promise<void>;
}
