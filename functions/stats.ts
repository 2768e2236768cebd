// Trigger: GET /stats. Needs: dynamodb:Query on counters.
import { countersIn } from '../shared/aws/dynamodb/counters.ts';
import { env } from '../shared/config.ts';
import { http } from '../shared/edge/http.ts';
import { showStats } from '../shared/flow/show-stats.ts';

const ports = { counters: countersIn(env.text('COUNTERS_TABLE')) };

export const handler = http(ports, async (_, { counters }) => ({ status: 200, body: await showStats(counters) }));
