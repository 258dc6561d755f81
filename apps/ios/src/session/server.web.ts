/** In a browser, the origin of the page. */
export const serverUrl = location.origin;
