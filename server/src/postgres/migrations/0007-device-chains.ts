export const DEVICE_CHAINS = `
-- Which bucket a user's rows are in follows from this key and the sub. It is made once and never changes: every sid holds its bucket.
CREATE TABLE holdfast.bucket_key (
  is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  key bytea NOT NULL
);
INSERT INTO holdfast.bucket_key (key) VALUES (sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));

-- Until now a sid was in any bucket. Nothing was released: sessions of that kind end here, and their users sign in again.
TRUNCATE holdfast.sessions, holdfast.authorization_codes;

ALTER TABLE holdfast.passkeys DROP CONSTRAINT passkeys_user_id_fkey;
ALTER TABLE holdfast.passkeys ALTER COLUMN user_id TYPE text COLLATE "C";
ALTER TABLE holdfast.users ALTER COLUMN id TYPE text COLLATE "C";
ALTER TABLE holdfast.passkeys ADD FOREIGN KEY (user_id) REFERENCES holdfast.users ON DELETE CASCADE;
ALTER TABLE holdfast.sessions ALTER COLUMN user_id TYPE text COLLATE "C";
ALTER TABLE holdfast.authorization_codes ALTER COLUMN user_id TYPE text COLLATE "C";
ALTER TABLE holdfast.events ALTER COLUMN user_id TYPE text COLLATE "C";
ALTER TABLE holdfast.users DROP COLUMN sign_in_epoch;

-- One row per sub, made at its first sign-in. Every transaction about a user locks it first, then sessions in order of id.
CREATE TABLE holdfast.subjects (
  bucket int2 NOT NULL,
  sub text COLLATE "C" NOT NULL CHECK (sub ~ '^[\\x21-\\x7e]{1,255}$'),
  -- Moves when every sign-in under way is void: a credential changed, or all sessions were ended.
  epoch int4 NOT NULL DEFAULT 0,
  -- Orders the user's sessions and sign-outs; no clock does.
  last_sequence int4 NOT NULL DEFAULT 0,
  -- WebAuthn user handle.
  user_handle bytea NOT NULL,
  -- Leaky bucket of completed sign-ins.
  sign_in_level float8 NOT NULL DEFAULT 0,
  sign_in_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (bucket, sub)
);
-- The built-in users are found by username; their buckets are not known then.
CREATE INDEX subjects_sub ON holdfast.subjects (sub);

ALTER TABLE holdfast.sessions
  ADD COLUMN device_id uuid NOT NULL,
  ADD COLUMN device_sequence int4 NOT NULL,
  ADD COLUMN has_predecessors boolean NOT NULL DEFAULT false,
  -- Null until the first granted use.
  ADD COLUMN last_used_at timestamptz(3),
  -- SHA-256 of the secret that its exchange brought.
  ADD COLUMN device_secret_hash bytea,
  -- Set by a sign-out of this session: the subject's sequence at that moment. Exchanges of the chain whose code is older are void.
  ADD COLUMN signed_out_sequence int4;
DROP INDEX holdfast.sessions_user_id;
-- No rotation changes a column of these.
CREATE INDEX sessions_live ON holdfast.sessions (bucket, user_id, device_id, device_sequence) WHERE revoked_at IS NULL;
CREATE INDEX sessions_device_secret ON holdfast.sessions (bucket, user_id, device_secret_hash, device_sequence)
  WHERE device_secret_hash IS NOT NULL;
CREATE INDEX sessions_signed_out ON holdfast.sessions (bucket, user_id, signed_out_sequence)
  WHERE signed_out_sequence IS NOT NULL;

-- The subject's last sequence when the code was issued.
ALTER TABLE holdfast.authorization_codes ADD COLUMN issued_sequence int4 NOT NULL;

-- Intents to end many sessions of a user, written with the change that causes them. Any node goes on with them, slice by slice.
CREATE TABLE holdfast.session_endings (
  bucket int2 NOT NULL,
  id uuid NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  -- The epoch that begins with it.
  epoch int4 NOT NULL,
  -- Sessions up to this sequence end.
  up_to_sequence int4 NOT NULL,
  spared_session_id uuid,
  reason text NOT NULL,
  address text,
  -- Where the last slice ended, in the order of chain and sequence.
  after_device_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  after_sequence int4 NOT NULL DEFAULT 0,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  -- Until then a node is at it.
  claimed_until timestamptz(3) NOT NULL,
  PRIMARY KEY (bucket, id)
);
CREATE INDEX session_endings_claimed_until ON holdfast.session_endings (claimed_until);
`;
