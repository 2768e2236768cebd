/**
 * Stands for `@aws-sdk/credential-provider-node` in the bundles (an alias of esbuild): Lambda gives a function its role's
 * credentials as environment variables and changes nothing while it runs, so the chain of files, SSO and metadata is not needed.
 */
export const defaultProvider = () => async () => ({
  accessKeyId: variable('AWS_ACCESS_KEY_ID'),
  secretAccessKey: variable('AWS_SECRET_ACCESS_KEY'),
  sessionToken: variable('AWS_SESSION_TOKEN'),
});

const variable = (name: string): string => {
  const value = process.env[name];
  if (!value) throw new Error(`environment variable ${name} is missing`);
  return value;
};
