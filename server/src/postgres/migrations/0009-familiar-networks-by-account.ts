export const FAMILIAR_NETWORKS_BY_ACCOUNT = `
-- HMAC of the account, so that the number of its networks has a limit. Null: written before, and counted nowhere until renewed.
ALTER TABLE holdfast.familiar_networks ADD COLUMN account_key bytea;
CREATE INDEX familiar_networks_account ON holdfast.familiar_networks (account_key, expires_at);
`;
