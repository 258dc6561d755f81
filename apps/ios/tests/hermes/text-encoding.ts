// UTF-8, which React Native's engine brings and this one does not.

Object.assign(globalThis, {
  TextEncoder: class {
    encode(text: string): Uint8Array {
      const bytes = unescape(encodeURIComponent(text));
      return Uint8Array.from(Array.from(bytes, (byte) => byte.charCodeAt(0)));
    }
  },
  TextDecoder: class {
    decode(bytes: Uint8Array): string {
      return decodeURIComponent(escape(Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')));
    }
  },
});
