import { Failure } from '../domain/failure.ts';
import { denied } from './denial.ts';
import type { HttpRequest } from './http.ts';

/**
 * The certificate of the camera that signed a request: AWS IoT's credential provider names the session of the camera's role
 * after it. Anybody else who may assume such a role could name a session at will; nobody but the provider may.
 */
export const readCamera = ({ caller }: HttpRequest, roles: string[]): string => {
  const [, role, session] = /^arn:[^:]+:sts::[0-9]+:assumed-role\/([^/]+)\/([0-9a-f]{64})$/.exec(caller) ?? [];
  return role !== undefined && session !== undefined && roles.includes(role)
    ? session
    : denied('connected', { reason: 'not-a-camera', caller });
};

/** What a sign of life proves is told to ops; the camera that gave a bad one is only denied. */
export const unlessDenied = async <Answer>(about: Record<string, unknown>, taken: Promise<Answer>): Promise<Answer> => {
  try {
    return await taken;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return denied('connected', { ...about, reason: error.code });
  }
};
