export const INITIAL = `
CREATE TABLE holdfast.users (
  id uuid PRIMARY KEY,
  username text NOT NULL,
  username_key text NOT NULL UNIQUE,
  name text NOT NULL,
  password_hash text NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT now()
);

-- One row per session, whatever its age. No foreign keys: rows may live on different shards.
CREATE TABLE holdfast.sessions (
  bucket int2 NOT NULL,
  id uuid NOT NULL,
  user_id uuid NOT NULL,
  client_id text NOT NULL,
  scope text NOT NULL,
  amr text NOT NULL,
  acr text NOT NULL,
  auth_time timestamptz(3) NOT NULL,
  seed bytea NOT NULL,
  generation int4 NOT NULL DEFAULT 0,
  rotated_by bytea,
  delivered_at timestamptz(3) NOT NULL,
  redeliveries int4 NOT NULL DEFAULT 0,
  created_at timestamptz(3) NOT NULL,
  idle_expires_at timestamptz(3) NOT NULL,
  expires_at timestamptz(3) NOT NULL,
  revoked_at timestamptz(3),
  revoked_reason text,
  replaces uuid,
  dpop_jkt text,
  device_label text,
  created_address text NOT NULL,
  created_user_agent text NOT NULL,
  last_address text NOT NULL,
  last_user_agent text NOT NULL,
  PRIMARY KEY (bucket, id),
  CHECK (bucket = get_byte(uuid_send(id), 0)),
  CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL))
) WITH (fillfactor = 75); -- room for updates in place
CREATE INDEX sessions_user_id ON holdfast.sessions (user_id);
-- The absolute lifetime never moves, so this index costs a rotation nothing.
CREATE INDEX sessions_expires_at ON holdfast.sessions (expires_at);

CREATE TABLE holdfast.authorization_codes (
  code_hash bytea PRIMARY KEY,
  client_id text NOT NULL,
  user_id uuid NOT NULL,
  scope text NOT NULL,
  code_challenge text NOT NULL,
  amr text NOT NULL,
  acr text NOT NULL,
  auth_time timestamptz(3) NOT NULL,
  replaces uuid,
  expires_at timestamptz(3) NOT NULL,
  -- The session it was exchanged for; a code with one is consumed.
  session_id uuid
);
CREATE INDEX authorization_codes_expires_at ON holdfast.authorization_codes (expires_at);

CREATE TABLE holdfast.signing_keys (
  kid text PRIMARY KEY,
  algorithm text NOT NULL,
  public_jwk jsonb NOT NULL,
  encrypted_private_key bytea NOT NULL,
  secret_id int4 NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
`;
