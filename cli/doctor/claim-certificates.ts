import { DescribeCertificateCommand, ListAttachedPoliciesCommand } from '@aws-sdk/client-iot';
import { read } from './api.ts';
import { unlessAbsent } from './aws.ts';
import { broken, type Flaw, type Link, well } from './link.ts';
import type { Patient } from './patient.ts';
import { byAws, byHand } from './remedy.ts';

interface ClaimCertificate {
  certificateId: string;
  kind?: string;
  batch?: string;
  claimWindow?: { until?: string };
  createdAt: string;
  disabledAt?: string;
}

/** DescribeCertificate is 10 a second, and the newest are those that cameras are being made with. */
const MOST = 20;

export const claimCertificatesLink: Link<Patient> = {
  name: 'claim certificates',
  asks: 'Is there a claim certificate, active and with its policy?',
  async subjects({ stack, aws, api }) {
    const policyName = stack.outputs.ClaimPolicyName ?? '';
    const all = await listAll(api);
    const good = all.filter(({ kind, disabledAt, claimWindow: { until } = {} }) => {
      return (
        kind !== 'installer' && disabledAt === undefined && (until === undefined || Date.parse(until) > Date.now())
      );
    });
    if (good.length === 0) {
      const makes = byHand('firstlight claim-certificate create');
      const look = async () => broken('there is none that is good now: no camera can claim over MQTT', makes);
      return [{ subject: `none of ${all.length}`, look }];
    }
    const newest = good.sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1)).slice(0, MOST);
    return newest.map(({ certificateId, batch }) => ({
      subject: `${certificateId.slice(0, 12)}… (${batch ?? 'any batch'})`,
      async look() {
        const asked = aws.iot.send(new DescribeCertificateCommand({ certificateId }));
        const described = (await unlessAbsent(asked))?.certificateDescription;
        if (!described) {
          const disables = byHand(`firstlight claim-certificate disable ${certificateId}`);
          return broken('AWS IoT has no such certificate: it was deleted there', disables);
        }
        const flaws: Flaw[] = [];
        if (described.status !== 'ACTIVE') {
          const activates = byAws('iot', 'UpdateCertificate', { certificateId, newStatus: 'ACTIVE' });
          // IoT guide, "Revoke a client certificate": its status cannot be changed again.
          const disables = byHand(`firstlight claim-certificate disable ${certificateId}, then create another`);
          flaws.push({
            says: `it is ${described.status} at AWS, though nobody has disabled it here`,
            remedy: described.status === 'REVOKED' ? disables : activates,
          });
        }
        const target = described.certificateArn ?? '';
        const { policies = [] } = await aws.iot.send(new ListAttachedPoliciesCommand({ target }));
        if (!policies.some((policy) => policy.policyName === policyName)) {
          const remedy = byAws('iot', 'AttachPolicy', { policyName, target });
          flaws.push({ says: `the policy ${policyName} is not attached to it`, remedy });
        }
        return flaws.length > 0 ? { flaws } : well();
      },
    }));
  },
};

async function listAll(api: Patient['api']): Promise<ClaimCertificate[]> {
  const found: ClaimCertificate[] = [];
  for (let query = '?limit=1000'; ; ) {
    const page = (await read(api, `/claim-certificates${query}`)) as {
      claimCertificates: ClaimCertificate[];
      nextCursor?: string;
    };
    found.push(...page.claimCertificates);
    if (page.nextCursor === undefined) return found;
    query = `?${new URLSearchParams({ limit: '1000', cursor: page.nextCursor })}`;
  }
}
