import {
  approveClaimRequest,
  orderRequest,
  replaceRequest,
  reprovisioningRequest,
  retireRequest,
} from './contract/lifecycle.ts';
import { type HttpRequest, readSerialNumber } from './http.ts';
import { parse } from './parse.ts';
import { present } from './present.ts';

/** Who orders what of which device; a body may be left out where nothing has to be said. */
const actOf = <Body extends { reason?: string | undefined }>(request: HttpRequest, { reason, ...body }: Body) => ({
  ...present(body),
  ...(reason !== undefined && { why: reason }),
  by: request.caller,
  serialNumber: readSerialNumber(request),
});

export const readOrder = (request: HttpRequest) => actOf(request, parse(orderRequest, request.jsonIfAny()));
export const readRetire = (request: HttpRequest) => actOf(request, parse(retireRequest, request.jsonIfAny()));

export const readReprovisioning = (request: HttpRequest) =>
  actOf(request, parse(reprovisioningRequest, request.json()));

export const readReplace = (request: HttpRequest) => {
  const { by: successor, ...body } = parse(replaceRequest, request.json());
  return { ...actOf(request, body), successor };
};

export const readApproval = (request: HttpRequest) => {
  const { claimId, publicKeySha256, ...body } = parse(approveClaimRequest, request.json());
  const what = claimId === undefined ? { publicKeySha256: String(publicKeySha256) } : { claimId };
  return { ...actOf(request, body), ...what };
};
