export const FAMILIAR_NETWORKS = `
-- From where an account signed in with its password lately: strangers elsewhere cannot delay it there.
CREATE TABLE holdfast.familiar_networks (
  -- HMAC of the account and the address.
  network_key bytea PRIMARY KEY,
  expires_at timestamptz NOT NULL
);
CREATE INDEX familiar_networks_expires_at ON holdfast.familiar_networks (expires_at);
`;
