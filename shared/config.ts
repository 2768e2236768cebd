import type { Deployment } from './domain/connection.ts';
import type { StreamMode } from './domain/device.ts';

/** Reads what one Lambda names of its environment, and stops it at load if something is missing. */
const text = (name: string): string => {
  const value = process.env[name]?.trim();
  if (!value) throw new Error(`environment variable ${name} is missing`);
  return value;
};

const wholeNumber = (name: string): number => {
  const value = Number(text(name));
  if (!Number.isInteger(value) || value < 0) throw new Error(`environment variable ${name} must be a whole number`);
  return value;
};

const oneOf = <Choice extends string>(name: string, choices: readonly Choice[]): Choice => {
  const value = text(name);
  const choice = choices.find((one) => one === value);
  if (choice === undefined) throw new Error(`environment variable ${name} must be one of ${choices.join(', ')}`);
  return choice;
};

/** Empty or absent means that the deployment does without it. */
const optional = (name: string): string | undefined => process.env[name]?.trim() || undefined;

export const env = { text, wholeNumber, oneOf, optional };

export const roleAliases = (): Record<StreamMode, string> => ({
  'thing-name': text('ROLE_ALIAS_THING_NAME'),
  'certificate-id': text('ROLE_ALIAS_CERTIFICATE_ID'),
  fixed: text('ROLE_ALIAS_FIXED'),
});

export const thingTypes = (): Record<StreamMode, string> => ({
  'thing-name': text('THING_TYPE_THING_NAME'),
  'certificate-id': text('THING_TYPE_CERTIFICATE_ID'),
  fixed: text('THING_TYPE_FIXED'),
});

export const deployment = (): Deployment => ({
  // Lambda sets it itself.
  region: text('AWS_REGION'),
  mqttEndpoint: text('MQTT_ENDPOINT'),
  credentialEndpoint: text('CREDENTIAL_ENDPOINT'),
  roleAliases: roleAliases(),
  fixedStream: optional('FIXED_STREAM'),
});
