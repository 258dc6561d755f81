// oidc-provider's storage in PostgreSQL: one table, every lookup by primary key or index, every statement prepared.
import type { Adapter, AdapterFactory, AdapterPayload } from 'oidc-provider';
import type { Pool } from 'pg';

export const SCHEMA = `
CREATE TABLE oidc_models (
  kind text NOT NULL,
  id text NOT NULL,
  payload jsonb NOT NULL,
  grant_id text,
  user_code text,
  uid text,
  expires_at timestamptz,
  consumed_at timestamptz,
  PRIMARY KEY (kind, id)
);
CREATE INDEX oidc_models_grant_id ON oidc_models (grant_id) WHERE grant_id IS NOT NULL;
CREATE INDEX oidc_models_user_code ON oidc_models (user_code) WHERE user_code IS NOT NULL;
CREATE INDEX oidc_models_uid ON oidc_models (uid) WHERE uid IS NOT NULL;`;

type Row = {
  readonly payload: AdapterPayload;
  readonly is_consumed: boolean;
};

const FIND = 'SELECT payload, consumed_at IS NOT NULL AS is_consumed FROM oidc_models WHERE kind = $1 AND';

/** @see https://github.com/panva/node-oidc-provider/blob/v9.x/docs/README.md#adapter */
export function createAdapter(pool: Pool): AdapterFactory {
  return (kind): Adapter => {
    const find = async (name: string, condition: string, value: string): Promise<AdapterPayload | undefined> => {
      const { rows } = await pool.query<Row>({ name, text: `${FIND} ${condition}`, values: [kind, value] });
      const [row] = rows;
      if (row === undefined) return undefined;
      return row.is_consumed ? { ...row.payload, consumed: true } : row.payload;
    };
    return {
      upsert: async (id, payload, expiresIn) => {
        const { grantId = null, userCode = null, uid = null } = payload;
        await pool.query({
          name: 'upsert',
          text: `
            INSERT INTO oidc_models (kind, id, payload, grant_id, user_code, uid, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7))
            ON CONFLICT (kind, id) DO UPDATE SET payload = excluded.payload, expires_at = excluded.expires_at`,
          values: [kind, id, JSON.stringify(payload), grantId, userCode, uid, expiresIn],
        });
      },
      find: (id) => find('find', 'id = $2', id),
      findByUserCode: (userCode) => find('find_by_user_code', 'user_code = $2', userCode),
      findByUid: (uid) => find('find_by_uid', 'uid = $2', uid),
      consume: async (id) => {
        const text = 'UPDATE oidc_models SET consumed_at = now() WHERE kind = $1 AND id = $2';
        await pool.query({ name: 'consume', text, values: [kind, id] });
      },
      destroy: async (id) => {
        const text = 'DELETE FROM oidc_models WHERE kind = $1 AND id = $2';
        await pool.query({ name: 'destroy', text, values: [kind, id] });
      },
      revokeByGrantId: async (grantId) => {
        const text = 'DELETE FROM oidc_models WHERE grant_id = $1';
        await pool.query({ name: 'revoke_by_grant_id', text, values: [grantId] });
      },
    };
  };
}
