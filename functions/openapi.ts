// Trigger: GET /openapi.json. Needs: nothing; it asks no service.
import { http } from '../shared/edge/http.ts';
import { describeApi } from '../shared/edge/openapi/document.ts';

const body = describeApi();

export const handler = http({}, async () => ({ status: 200, body }));
