export const PASSKEY_USER_HANDLES = `
-- The WebAuthn user handle that a passkey was made with. Until now it was the user's id itself.
ALTER TABLE holdfast.passkeys ADD COLUMN user_handle bytea;
UPDATE holdfast.passkeys SET user_handle = decode(replace(user_id, '-', ''), 'hex')
  WHERE user_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$';
DELETE FROM holdfast.passkeys WHERE user_handle IS NULL;
ALTER TABLE holdfast.passkeys ALTER COLUMN user_handle SET NOT NULL;
`;
