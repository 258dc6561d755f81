export const EVENTS = `
-- The audit log: what happened, never changed afterwards, kept for the retention time.
CREATE TABLE holdfast.events (
  id uuid PRIMARY KEY,
  at timestamptz(3) NOT NULL,
  type text NOT NULL,
  user_id uuid,
  session_id uuid,
  client_id text,
  address text,
  -- The whole fact, as listeners get it.
  fact jsonb NOT NULL
);
CREATE INDEX events_at ON holdfast.events (at);
CREATE INDEX events_user_id ON holdfast.events (user_id, at) WHERE user_id IS NOT NULL;
CREATE INDEX events_session_id ON holdfast.events (session_id, at) WHERE session_id IS NOT NULL;

CREATE FUNCTION holdfast.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit log is append-only';
END $$;
CREATE TRIGGER events_are_append_only BEFORE UPDATE OR TRUNCATE ON holdfast.events
  FOR EACH STATEMENT EXECUTE FUNCTION holdfast.refuse_change();

-- The outbox: one row for each event that an endpoint has not confirmed. Confirmed rows are deleted.
CREATE TABLE holdfast.webhook_deliveries (
  event_id uuid NOT NULL,
  endpoint text NOT NULL,
  attempts int4 NOT NULL DEFAULT 0,
  -- Until then the row is left alone: it waits for its next attempt, or a node is at it.
  due_at timestamptz(3) NOT NULL,
  -- Given up: too many attempts. It stays for an operator to see and to send again.
  dead_at timestamptz(3),
  last_failure text,
  PRIMARY KEY (event_id, endpoint)
);
CREATE INDEX webhook_deliveries_due_at ON holdfast.webhook_deliveries (due_at) WHERE dead_at IS NULL;

-- The revocation feed reads ended sessions by time. A rotation changes neither the column nor the condition.
CREATE INDEX sessions_revoked_at ON holdfast.sessions (revoked_at) WHERE revoked_at IS NOT NULL;
`;
