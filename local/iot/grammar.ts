import { checkExpression, type Expression, evaluateExpression, type Scope } from './intrinsics.ts';

/**
 * Provisioning templates: what may stand in one, and what one says once its parameters have values (IoT guide, "Provisioning templates").
 * Whoever is wrong is told so in an Error's words; the doors put AWS's code to them.
 */

export interface Template {
  Parameters: Record<string, { Type: 'String'; Default?: string }>;
  Mappings: Record<string, Record<string, Record<string, string | string[]>>>;
  Resources: Record<
    string,
    { Type: ResourceType; Properties: Record<string, Expression>; OverrideSettings: Overrides }
  >;
  DeviceConfiguration: Record<string, Expression>;
}

export type ResourceType = keyof typeof PROPERTIES;
export type Override = 'DO_NOTHING' | 'REPLACE' | 'MERGE' | 'FAIL';
type Overrides = Partial<Record<string, Override>>;

export type Resource =
  | { Type: 'AWS::IoT::Thing'; Properties: ThingProperties; OverrideSettings: Overrides }
  | { Type: 'AWS::IoT::Certificate'; Properties: CertificateProperties; OverrideSettings: Overrides }
  | { Type: 'AWS::IoT::Policy'; Properties: PolicyProperties; OverrideSettings: Overrides };

export interface ThingProperties {
  ThingName: string;
  AttributePayload?: Record<string, string>;
  ThingTypeName?: string;
  ThingGroups?: string[];
  BillingGroup?: string;
}

export interface CertificateProperties {
  CertificateId?: string;
  CertificateSigningRequest?: string;
  CertificatePem?: string;
  CACertificatePem?: string;
  Status?: string;
  ThingPrincipalType?: string;
}

export interface PolicyProperties {
  PolicyName?: string;
  /** As text: an object in the template has been written out. */
  PolicyDocument?: string;
}

export interface Evaluated {
  resources: Record<string, Resource>;
  deviceConfiguration: Record<string, string>;
}

/** CreateProvisioningTemplate: length of `templateBody`. */
const LONGEST_BODY = 10_240;
/** The one pseudo parameter of fleet provisioning; it needs no declaration there. */
export const CERTIFICATE_ID = 'AWS::IoT::Certificate::Id';

const PROPERTIES = {
  'AWS::IoT::Thing': {
    ThingName: 'string',
    AttributePayload: 'map',
    ThingTypeName: 'string',
    ThingGroups: 'list',
    BillingGroup: 'string',
  },
  'AWS::IoT::Certificate': {
    CertificateId: 'string',
    CertificateSigningRequest: 'string',
    CertificatePem: 'string',
    CACertificatePem: 'string',
    Status: 'string',
    ThingPrincipalType: 'string',
  },
  'AWS::IoT::Policy': { PolicyName: 'string', PolicyDocument: 'document' },
} as const satisfies Record<string, Record<string, 'string' | 'map' | 'list' | 'document'>>;

/** "MERGE: valid only for the ThingGroups and AttributePayload properties"; "not available for policy resources". */
const OVERRIDES: Record<ResourceType, Record<string, Override[]>> = {
  'AWS::IoT::Thing': {
    AttributePayload: ['DO_NOTHING', 'REPLACE', 'FAIL', 'MERGE'],
    ThingTypeName: ['DO_NOTHING', 'REPLACE', 'FAIL'],
    ThingGroups: ['DO_NOTHING', 'REPLACE', 'FAIL', 'MERGE'],
  },
  'AWS::IoT::Certificate': { Status: ['DO_NOTHING', 'REPLACE', 'FAIL'] },
  'AWS::IoT::Policy': {},
};

/** "Use only one of these methods." */
const WAYS_TO_A_CERTIFICATE = ['CertificateId', 'CertificateSigningRequest', 'CertificatePem'];

/** Throws Error in words when the text is no template. */
export function parseTemplate(body: string): Template {
  if (body.length > LONGEST_BODY) throw new Error(`The template is longer than ${LONGEST_BODY} characters.`);
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    throw new Error('The template is not valid JSON.');
  }
  const sections = object(json, 'The template');
  only(sections, ['Parameters', 'Mappings', 'Resources', 'DeviceConfiguration'], 'The template');
  const template = {
    Parameters: object(sections.Parameters ?? {}, 'Parameters'),
    Mappings: object(sections.Mappings ?? {}, 'Mappings'),
    Resources: object(sections.Resources, 'Resources'),
    DeviceConfiguration: object(sections.DeviceConfiguration ?? {}, 'DeviceConfiguration'),
  };
  for (const [name, parameter] of Object.entries(template.Parameters)) checkParameter(name, parameter);
  for (const [name, map] of Object.entries(template.Mappings)) checkMapping(name, map);
  const known = new Set([...Object.keys(template.Parameters), CERTIFICATE_ID]);
  for (const [name, resource] of Object.entries(template.Resources)) {
    template.Resources[name] = checkedResource(name, resource, known);
  }
  checkResources(template.Resources as Template['Resources']);
  for (const [key, value] of Object.entries(template.DeviceConfiguration)) {
    checkExpression(value, `DeviceConfiguration.${key}`, { known });
  }
  return template as Template;
}

/** Throws Error in words when the values do not fit the template. */
export function evaluateTemplate(template: Template, parameters: Record<string, string>): Evaluated {
  for (const [name, value] of Object.entries(parameters)) {
    // Undocumented on AWS, so refused here: what works against the stand-in must not depend on it.
    if (name !== CERTIFICATE_ID && !Object.hasOwn(template.Parameters, name)) {
      throw new Error(`The template declares no parameter ${name}.`);
    }
    if (typeof value !== 'string') throw new Error(`The parameter ${name} must be a string.`);
  }
  const scope: Scope = {
    mappings: template.Mappings,
    parameter(name) {
      const declared = Object.hasOwn(template.Parameters, name) ? template.Parameters[name] : undefined;
      const value = Object.hasOwn(parameters, name) ? parameters[name] : declared?.Default;
      if (value === undefined) throw new Error(`The parameter ${name} has no value.`);
      return value;
    },
  };
  const resources = Object.entries(template.Resources).map(([name, { Type, Properties, OverrideSettings }]) => {
    const properties = Object.entries(Properties).map(([property, expression]) => {
      const shape = (PROPERTIES[Type] as Record<string, string>)[property] ?? 'string';
      return [property, shaped(evaluateExpression(expression, scope), shape, `${name}.${property}`)];
    });
    return [name, { Type, Properties: Object.fromEntries(properties), OverrideSettings }];
  });
  const configuration = Object.entries(template.DeviceConfiguration).map(([key, expression]) => {
    // "The DeviceConfiguration section doesn't support nested JSON objects."
    return [key, shaped(evaluateExpression(expression, scope), 'string', `DeviceConfiguration.${key}`)];
  });
  return { resources: Object.fromEntries(resources), deviceConfiguration: Object.fromEntries(configuration) };
}

function checkParameter(name: string, parameter: unknown): void {
  const { Type, Default, ...others } = object(parameter, `The parameter ${name}`);
  only(others, [], `The parameter ${name}`);
  if (Type !== 'String') throw new Error(`The parameter ${name} must have the type String.`);
  if (Default !== undefined && typeof Default !== 'string') {
    throw new Error(`The default of the parameter ${name} must be a string.`);
  }
}

/** "You cannot include parameters, pseudo parameters, or call intrinsic functions in the Mappings section." */
function checkMapping(name: string, map: unknown): void {
  for (const [key, values] of Object.entries(object(map, `The mapping ${name}`))) {
    for (const [second, value] of Object.entries(object(values, `The mapping ${name}.${key}`))) {
      const constants: unknown[] = Array.isArray(value) ? value : [value];
      if (constants.every((constant) => typeof constant === 'string')) continue;
      throw new Error(`The mapping ${name}.${key}.${second} must be a string or a list of strings.`);
    }
  }
}

function checkedResource(name: string, resource: unknown, known: Set<string>): Template['Resources'][string] {
  const what = `The resource ${name}`;
  const { Type, Properties = {}, OverrideSettings = {}, ...others } = object(resource, what);
  only(others, [], what);
  if (typeof Type !== 'string' || !Object.hasOwn(PROPERTIES, Type)) {
    throw new Error(`${what} must be one of ${Object.keys(PROPERTIES).join(', ')}.`);
  }
  const type = Type as ResourceType;
  const properties = object(Properties, `${what}'s Properties`);
  only(properties, Object.keys(PROPERTIES[type]), what);
  for (const [property, expression] of Object.entries(properties)) {
    // "Fn::Join is not supported for Policy resources."
    checkExpression(expression, `${name}.${property}`, {
      known,
      ...(type === 'AWS::IoT::Policy' && { refused: 'Fn::Join' }),
    });
  }
  const overrides = object(OverrideSettings, `${what}'s OverrideSettings`);
  for (const [property, override] of Object.entries(overrides)) {
    const allowed = Object.hasOwn(OVERRIDES[type], property) ? OVERRIDES[type][property] : undefined;
    if (!allowed) throw new Error(`${what} has no OverrideSettings for ${property}.`);
    if (!allowed.includes(override as Override)) {
      throw new Error(`The OverrideSettings of ${name}.${property} must be one of ${allowed.join(', ')}.`);
    }
  }
  if (type === 'AWS::IoT::Thing' && !('ThingName' in properties)) throw new Error(`${what} needs a ThingName.`);
  if (type === 'AWS::IoT::Certificate' && WAYS_TO_A_CERTIFICATE.filter((way) => way in properties).length !== 1) {
    throw new Error(`${what} needs exactly one of ${WAYS_TO_A_CERTIFICATE.join(', ')}.`);
  }
  if (type === 'AWS::IoT::Policy' && 'PolicyName' in properties === 'PolicyDocument' in properties) {
    throw new Error(`${what} needs either PolicyName or PolicyDocument.`);
  }
  return { Type: type, Properties: properties as Record<string, Expression>, OverrideSettings: overrides as Overrides };
}

/** "a thing, a certificate, and one or more IoT policies". */
function checkResources(resources: Template['Resources']): void {
  const types = Object.values(resources).map(({ Type }) => Type);
  const count = (type: ResourceType) => types.filter((other) => other === type).length;
  if (types.length === 0) throw new Error('The template has no resources.');
  if (count('AWS::IoT::Thing') > 1) throw new Error('The template has more than one thing.');
  if (count('AWS::IoT::Certificate') > 1) throw new Error('The template has more than one certificate.');
  if (count('AWS::IoT::Policy') > 0 && count('AWS::IoT::Certificate') === 0) {
    throw new Error('The template has a policy and no certificate to attach it to.');
  }
}

function shaped(value: unknown, shape: string, at: string): unknown {
  const isString = (item: unknown) => typeof item === 'string';
  if (shape === 'document') return isString(value) ? value : JSON.stringify(object(value, at));
  if (shape === 'list') {
    if (Array.isArray(value) && value.every(isString)) return value;
    throw new Error(`${at} must be a list of strings.`);
  }
  if (shape === 'map') {
    if (Object.values(object(value, at)).every(isString)) return value;
    throw new Error(`${at} must be a map of strings.`);
  }
  if (isString(value)) return value;
  throw new Error(`${at} must be a string.`);
}

function object(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new Error(`${what} must be an object.`);
}

function only(value: Record<string, unknown>, keys: readonly string[], what: string): void {
  const unknown = Object.keys(value).find((key) => !keys.includes(key));
  if (unknown !== undefined) throw new Error(`${what} has an unknown member: ${unknown}.`);
}
