/** The parts of the OpenAPI document that endpoints and grants describe themselves with. @see OpenAPI 3.1 */

/** Parameters of a form by name, each with its JSON Schema. */
export type FormFields = Readonly<Record<string, object>>;

export const text = (description: string): object => ({ type: 'string', description });

export const uuid = (description: string): object => ({ type: 'string', format: 'uuid', description });

export const flag = (description: string): object => ({ type: 'string', enum: ['true', 'false'], description });
