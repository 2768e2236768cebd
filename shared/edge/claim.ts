import { limits } from '../domain/limits.ts';
import { claimRequest, connectedRequest, provisionRequest } from './contract/connection.ts';
import type { HttpRequest } from './http.ts';
import { parse } from './parse.ts';
import { present } from './present.ts';

export const readProvision = (request: HttpRequest) => present(parse(provisionRequest, request.jsonIfAny()));
export const readClaim = (request: HttpRequest) => present(parse(claimRequest, request.json(limits.cameraBodyBytes)));
export const readConnected = (request: HttpRequest) => parse(connectedRequest, request.json(limits.cameraBodyBytes));
