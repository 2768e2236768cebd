import * as sdk from '@aws-sdk/client-iot';
import type { Clock } from '../clock.ts';
import { restJson } from '../protocol/rest-json.ts';
import type { Operation, Service } from '../service.ts';
import { certificateOperations } from './certificates.ts';
import { type Endpoints, endpointOperations } from './endpoints.ts';
import { eventConfigurationOperations } from './event-configurations.ts';
import type { Issuer } from './issuer.ts';
import { createNeeds } from './needs.ts';
import { policyOperations } from './policies.ts';
import type { Provision } from './provision.ts';
import type { Registry } from './registry.ts';
import { roleAliasOperations } from './role-aliases.ts';
import { ruleOperations } from './rules.ts';
import { templateVersionOperations } from './template-versions.ts';
import { templateOperations } from './templates.ts';
import { thingPrincipalOperations } from './thing-principals.ts';
import { thingTypeOperations } from './thing-types.ts';
import { thingOperations } from './things.ts';

export interface ControlPlaneDeps {
  registry: Registry;
  issuer: Issuer;
  clock: Clock;
  endpoints: () => Endpoints;
  provision: Provision;
}

/** The registry's HTTP API: `iot.<region>.amazonaws.com`. */
export function createControlPlane(deps: ControlPlaneDeps): Service {
  const { registry } = deps;
  const needs = createNeeds(registry);
  const operations: Record<string, Operation> = {
    ...thingOperations(deps),
    ...thingTypeOperations(deps),
    ...thingPrincipalOperations(deps),
    ...certificateOperations(deps),
    ...policyOperations(deps),
    ...roleAliasOperations(deps),
    ...templateOperations(deps),
    ...templateVersionOperations(deps),
    ...ruleOperations(deps),
    ...endpointOperations(deps),
    ...eventConfigurationOperations(deps),
  };
  return {
    name: 'iot',
    protocol: restJson({ schemas: sdk, errorMessageKey: 'message', validationCode: 'InvalidRequestException' }),
    operations,
    needs: (operation, input) => needs(operation, input as Record<string, unknown>),
    snapshot: registry.snapshot,
    restore: registry.restore,
  };
}
