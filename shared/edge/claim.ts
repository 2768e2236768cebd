import { claimRequest, connectedRequest, provisionRequest } from './contract/connection.ts';
import { parse } from './parse.ts';
import { present } from './present.ts';

export const readProvision = (body: unknown) => present(parse(provisionRequest, body));
export const readClaim = (body: unknown) => present(parse(claimRequest, body));
export const readConnected = (body: unknown) => parse(connectedRequest, body);
