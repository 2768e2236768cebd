import { apiLink } from './api.ts';
import { cameraRolesLink } from './camera-roles.ts';
import { claimCertificatesLink } from './claim-certificates.ts';
import { endpointsLink } from './endpoints.ts';
import { eventSourcesLink } from './event-sources.ts';
import { fixedStreamLink } from './fixed-stream.ts';
import { functionsLink } from './functions.ts';
import { iotPoliciesLink } from './iot-policies.ts';
import type { Link } from './link.ts';
import type { Patient } from './patient.ts';
import { permissionsLink } from './permissions.ts';
import { provisioningTemplatesLink } from './provisioning-templates.ts';
import { roleAliasesLink } from './role-aliases.ts';
import { rolesLink } from './roles.ts';
import { rulesLink } from './rules.ts';
import { schedulesLink } from './schedules.ts';
import { stackLink } from './stack-status.ts';
import { tablesLink } from './tables.ts';
import { thingTypesLink } from './thing-types.ts';

/** A deployment's chain, in the order in which a camera's first boot needs it. */
export const stackLinks: Link<Patient>[] = [
  stackLink,
  endpointsLink,
  claimCertificatesLink,
  iotPoliciesLink,
  provisioningTemplatesLink,
  permissionsLink,
  functionsLink,
  tablesLink,
  rolesLink,
  thingTypesLink,
  roleAliasesLink,
  cameraRolesLink,
  fixedStreamLink,
  rulesLink,
  eventSourcesLink,
  schedulesLink,
  apiLink,
];
