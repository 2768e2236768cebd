import { randomBytes } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { AwsError } from '../error.ts';
import { type Context, type Decision, evaluate, type Need, type PolicyDocument, parsePolicy } from '../policy.ts';
import type { Holder, Role, User } from './holders.ts';
import { accessKey } from './ids.ts';
import { type ManagedPolicy, managedPolicies } from './managed-policies.ts';

/** Whoever signed a call: a user with long-lived keys or a role session. */
export interface Identity {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
  /** Epoch ms; only a session ends. */
  expiration?: number;
  /** `arn:aws:iam::<account>:user/<name>` or `arn:aws:sts::<account>:assumed-role/<role>/<session>` */
  arn: string;
  accountId: string;
  /** `AIDA…`, or `AROA…:<session name>`: what `aws:userid` holds. */
  userId: string;
  /** Keys that this caller carries into every request, `credentials-iot:ThingName` among them. */
  context: Context;
}

export interface AssumeRole {
  roleArn: string;
  /** `{Service: 'lambda.amazonaws.com'}` or `{AWS: '<caller arn>'}` */
  principal: Record<string, string>;
  sessionName: string;
  durationSeconds: number;
  /** What the trust policy may ask for: `aws:SourceArn`, `aws:SourceAccount`. */
  trustContext?: Context;
  /** What the session carries: `credentials-iot:*`. */
  sessionContext?: Context;
}

/** Who exists, who may become whom, and who may do what. */
export interface Identities {
  find(accessKeyId: string): Identity | undefined;
  /** Throws AwsError: NoSuchEntity 404, AccessDenied 403 (trust), ValidationError 400 (longer than the role's MaxSessionDuration). */
  assumeRole(request: AssumeRole): Required<Identity>;
  /** The policies of the caller as they stand at this moment. */
  documentsOf(identity: Identity): PolicyDocument[];
  /** What every decision about this caller knows: its session's keys and the `aws:*` ones. */
  contextOf(identity: Identity): Context;
  decide(identity: Identity, need: Need): Decision;
  /** Throws AwsError AccessDeniedException 403, in AWS's sentence, unless every need is allowed. */
  authorize(identity: Identity, needs: readonly Need[]): void;
}

interface State {
  roles: Map<string, Role>;
  users: Map<string, User>;
  /** By ARN, AWS's own among them. */
  managed: Map<string, ManagedPolicy>;
  /** By access key id. */
  sessions: Map<string, Required<Identity>>;
}

/** Read its Maps through it each time: `restore` replaces them. */
export interface IdentityStore extends Identities, State {
  accountId: string;
  /** The account itself, which may do everything: for the boot, and found by its key like anyone else. */
  root: Identity;
  snapshot(): unknown;
  restore(snapshot: unknown): void;
}

/** An ended session is told that it ended for this long; then its key is an unknown one. */
const REMEMBERED_MS = 12 * 3_600_000;

export function createIdentities({ clock, accountId }: { clock: Clock; accountId: string }): IdentityStore {
  const root: Identity = {
    ...accessKey('AKIA'),
    arn: `arn:aws:iam::${accountId}:root`,
    accountId,
    userId: accountId,
    context: {},
  };

  const holderOf = (identity: Identity): Holder | undefined => {
    const [, roleName] = /:assumed-role\/([^/]+)\//.exec(identity.arn) ?? [];
    if (roleName === undefined) {
      return [...store.users.values()].find((user) => user.arn === identity.arn);
    }
    const role = store.roles.get(roleName);
    // A role made anew under an old name is another role: earlier sessions hold the former id.
    return role && identity.userId.startsWith(`${role.roleId}:`) ? role : undefined;
  };

  const forgetEndedSessions = () => {
    for (const [id, { expiration }] of store.sessions) {
      if (expiration + REMEMBERED_MS > clock.now()) return;
      store.sessions.delete(id);
    }
  };

  const store: IdentityStore = {
    accountId,
    root,
    roles: new Map(),
    users: new Map(),
    managed: managedPolicies(),
    sessions: new Map(),

    find(accessKeyId) {
      if (accessKeyId === root.accessKeyId) return root;
      const session = store.sessions.get(accessKeyId);
      if (session) return session;
      for (const user of store.users.values()) {
        const key = user.keys.get(accessKeyId);
        if (!key) continue;
        const { secretAccessKey } = key;
        const context = { 'aws:username': user.userName };
        return { accessKeyId, secretAccessKey, arn: user.arn, accountId, userId: user.userId, context };
      }
      return undefined;
    },

    assumeRole({ roleArn, principal, sessionName, durationSeconds, trustContext = {}, sessionContext = {} }) {
      const role = [...store.roles.values()].find(({ arn }) => arn === roleArn);
      if (!role) throw new AwsError('NoSuchEntity', 404, `The role with name ${nameOf(roleArn)} cannot be found.`);

      const request = {
        action: 'sts:AssumeRole',
        principal: withRoleOfSession(principal, store.roles),
        context: { ...timeKeys(clock), ...trustContext },
      };
      if (evaluate([parsePolicy(role.trustPolicy)], request) !== 'allowed') {
        const who = Object.values(principal)[0];
        throw new AwsError(
          'AccessDenied',
          403,
          `User: ${who} is not authorized to perform: sts:AssumeRole on resource: ${roleArn}`,
        );
      }
      if (durationSeconds > role.maxSessionDuration) {
        const message = 'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.';
        throw new AwsError('ValidationError', 400, message);
      }

      forgetEndedSessions();
      const session: Required<Identity> = {
        ...accessKey('ASIA'),
        // Long as AWS's are, within the 2,048 characters that the KVS producer SDK can hold.
        sessionToken: randomBytes(288).toString('base64'),
        expiration: Math.floor(clock.now() / 1000 + durationSeconds) * 1000,
        arn: `arn:aws:sts::${accountId}:assumed-role/${role.roleName}/${sessionName}`,
        accountId,
        userId: `${role.roleId}:${sessionName}`,
        context: sessionContext,
      };
      store.sessions.set(session.accessKeyId, session);
      return session;
    },

    documentsOf(identity) {
      const holder = holderOf(identity);
      if (!holder) return [];
      const lent = [...holder.attached].flatMap((arn) => defaultDocument(store.managed.get(arn)) ?? []);
      return [...holder.inline.values(), ...lent].map(parsePolicy);
    },

    contextOf(identity) {
      const role = /:assumed-role\//.test(identity.arn) ? holderOf(identity) : undefined;
      return {
        ...timeKeys(clock),
        ...identity.context,
        // For a session it is the ARN of the role (IAM User Guide, "aws:PrincipalArn").
        'aws:PrincipalArn': role?.arn ?? identity.arn,
        'aws:PrincipalAccount': identity.accountId,
        'aws:userid': identity.userId,
      };
    },

    decide(identity, { action, resource, context }) {
      if (identity === root) return 'allowed';
      const known = { ...store.contextOf(identity), ...context };
      return evaluate(store.documentsOf(identity), { action, resource, context: known });
    },

    authorize(identity, needs) {
      for (const need of needs) {
        const decision = store.decide(identity, need);
        if (decision === 'allowed') continue;
        // IAM User Guide, "Troubleshoot access denied error messages".
        const reason =
          decision === 'explicitDeny'
            ? 'with an explicit deny in an identity-based policy'
            : `because no identity-based policy allows the ${need.action} action`;
        throw new AwsError(
          'AccessDeniedException',
          403,
          `User: ${identity.arn} is not authorized to perform: ${need.action} on resource: ${need.resource} ${reason}`,
        );
      }
    },

    snapshot: () => {
      const { roles, users, managed, sessions } = store;
      return structuredClone({ roles, users, managed, sessions });
    },
    restore: (snapshot) => {
      Object.assign(store, structuredClone(snapshot as State));
    },
  };
  return store;
}

/** The document that counts now. */
const defaultDocument = (policy: ManagedPolicy | undefined): string | undefined =>
  policy?.versions.find(({ isDefaultVersion }) => isDefaultVersion)?.document;

const nameOf = (arn: string) => arn.slice(arn.lastIndexOf('/') + 1);

const timeKeys = (clock: Clock): Context => ({
  'aws:CurrentTime': new Date(clock.now()).toISOString(),
  'aws:EpochTime': String(Math.floor(clock.now() / 1000)),
});

/** A trust policy may name the session or the role behind it (IAM User Guide, "Principal: role sessions"). */
function withRoleOfSession(principal: Record<string, string>, roles: ReadonlyMap<string, Role>) {
  const [, roleName = ''] = /:assumed-role\/([^/]+)\//.exec(principal.AWS ?? '') ?? [];
  const role = roles.get(roleName);
  return role ? { ...principal, AWS: [principal.AWS as string, role.arn] } : principal;
}
