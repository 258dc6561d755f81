export const SIGNING_KEY_SCHEDULE = `
-- A key signs from this time until a later key's; all that a key does follows from times alone.
ALTER TABLE holdfast.signing_keys ADD COLUMN signs_from timestamptz(3);
UPDATE holdfast.signing_keys SET signs_from = created_at;
ALTER TABLE holdfast.signing_keys ALTER COLUMN signs_from SET NOT NULL;
`;
