export const PEOPLE = `
-- Null: the user signs in with passkeys alone.
ALTER TABLE holdfast.users ALTER COLUMN password_hash DROP NOT NULL;
ALTER TABLE holdfast.users ADD COLUMN disabled_at timestamptz(3);
-- Counts what voids every sign-in under way: a credential changed or was removed, all sessions were ended. A code that was
-- issued in another epoch makes no session.
ALTER TABLE holdfast.users ADD COLUMN sign_in_epoch int4 NOT NULL DEFAULT 0;
ALTER TABLE holdfast.authorization_codes ADD COLUMN sign_in_epoch int4 NOT NULL DEFAULT 0;

CREATE TABLE holdfast.passkeys (
  credential_id bytea PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES holdfast.users ON DELETE CASCADE,
  rp_id text NOT NULL,
  -- COSE_Key (RFC 9052 section 7).
  public_key bytea NOT NULL,
  sign_count int8 NOT NULL,
  transports text NOT NULL,
  aaguid uuid NOT NULL,
  is_backup_eligible boolean NOT NULL,
  is_backed_up boolean NOT NULL,
  name text NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  last_used_at timestamptz(3)
);
CREATE INDEX passkeys_user_id ON holdfast.passkeys (user_id);

-- Challenges that were answered. One that was never answered is not here: it carries its own proof.
CREATE TABLE holdfast.spent_challenges (
  challenge bytea PRIMARY KEY,
  expires_at timestamptz(3) NOT NULL
);
CREATE INDEX spent_challenges_expires_at ON holdfast.spent_challenges (expires_at);

-- Leaky buckets of password attempts, one row for an account or an address that had a failure lately.
CREATE TABLE holdfast.password_attempts (
  -- HMAC of the account or the address: people type passwords where the username belongs.
  bucket_key bytea PRIMARY KEY,
  level float8 NOT NULL,
  -- Not rounded: a rounded "until now" may lie ahead.
  updated_at timestamptz NOT NULL,
  blocked_until timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX password_attempts_expires_at ON holdfast.password_attempts (expires_at);
`;
