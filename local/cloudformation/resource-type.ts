/** What CloudFormation remembers of a resource: what `Ref` gives, and what `Fn::GetAtt` gives. */
export interface Created {
  id: string;
  attributes?: Record<string, unknown>;
}

// biome-ignore lint/suspicious/noExplicitAny: properties are CloudFormation's; each type below names those it reads.
export type Properties = Record<string, any>;

/** One resource about to be made. */
export interface Site {
  logicalId: string;
  region: string;
  accountId: string;
  stackId: string;
  /** A name for a resource whose template gives none: `<stack>-<logical id>-<12 letters and digits>`. */
  generatedName(longest: number): string;
  // biome-ignore lint/suspicious/noExplicitAny: answers are the service's own.
  call(service: string, operation: string, input: object): Promise<any>;
  /** The bytes of a packaged asset, by its S3 key. */
  asset(key: string): Promise<Buffer>;
}

export interface ResourceType {
  /** Every property that the stand-in obeys. Another one in the template is an error: leaving it out in silence would be a guess. */
  properties: readonly string[];
  create(properties: Properties, site: Site): Promise<Created> | Created;
}
