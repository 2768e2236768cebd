/** What a role and a user have in common: policies of their own and policies lent to them. */
export interface Holder {
  arn: string;
  path: string;
  /** Epoch ms. */
  createDate: number;
  /** Policy name → document. */
  inline: Map<string, string>;
  /** ARNs of managed policies. */
  attached: Set<string>;
  tags: Map<string, string>;
}

export interface Role extends Holder {
  roleName: string;
  roleId: string;
  trustPolicy: string;
  description?: string;
  maxSessionDuration: number;
}

export interface AccessKey {
  accessKeyId: string;
  secretAccessKey: string;
  createDate: number;
}

export interface User extends Holder {
  userName: string;
  userId: string;
  keys: Map<string, AccessKey>;
}
