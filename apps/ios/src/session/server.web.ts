/** In a browser, whoever served the page. */
export const serverUrl = location.origin;
