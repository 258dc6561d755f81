/** The key that a code is bound to before it is exchanged (RFC 9449 §10). */
export const BOUND_CODES = `
ALTER TABLE holdfast.authorization_codes ADD COLUMN dpop_jkt text;
`;
