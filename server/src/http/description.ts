/** The parts of the OpenAPI document that endpoints and grants describe themselves with. @see OpenAPI 3.1 */

/** Parameters by name, each with its JSON Schema. */
export type Fields = Readonly<Record<string, object>>;

/** The form of an operation. */
export type Form = {
  readonly required: readonly string[];
  readonly fields: Fields;
};

/** An operation without what follows from the steps of its endpoint: `security`, and the errors of the steps. */
export type Description = {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  /** Parameters of the path and the query. */
  readonly parameters?: readonly object[];
  readonly form?: Form;
  readonly security?: readonly object[];
  /** Responses by status: the successful ones, and the errors of its own. */
  readonly responses: Readonly<Record<number, object>>;
};

export const text = (description: string): object => ({ type: 'string', description });

export const uuid = (description: string): object => ({ type: 'string', format: 'uuid', description });

export const flag = (description: string): object => ({ type: 'string', enum: ['true', 'false'], description });

/** Names a schema of the document. */
export const ref = (name: string): object => ({ $ref: `#/components/schemas/${name}` });

export const jsonBody = (description: string, schema: object): object => ({
  description,
  content: { 'application/json': { schema } },
});

export const errorBody = (description: string): object => jsonBody(description, ref('Error'));

/** The parameter `{id}` of a path. */
export const idInPath = (description: string): readonly object[] => [
  { name: 'id', in: 'path', required: true, description, schema: { type: 'string' } },
];

/** The parameter `client_id` of every form of a client. */
export const CLIENT_ID = text('The registered client');

export const DONE = { description: 'Done' };
export const NOT_FOUND = errorBody('There is no such thing of this user');
export const LAST_CREDENTIAL = errorBody('It is the only way to sign in that is left');
