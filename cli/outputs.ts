export interface Door {
  host: string;
  port: number;
}

export type Persona = 'admin' | 'factory' | 'operator' | 'auditor';

/** `.firstlight/outputs.json`: what scripts, cameras and tests know of a local run. Paths are absolute; `aws` and `api` are `http://`. */
export interface Outputs {
  region: string;
  accountId: string;
  /** The one URL of every AWS API: `AWS_ENDPOINT_URL`. */
  aws: string;
  api: string;
  mqtt: Door;
  credentials: Door;
  caPath: string;
  claim: { certificatePath: string; privateKeyPath: string; templateName: string; renewTemplateName: string };
  personas: Record<Persona, { accessKeyId: string; secretAccessKey: string }>;
}
