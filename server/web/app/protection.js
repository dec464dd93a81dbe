// @ts-check
// Encryption at rest: which downloads Godwit is to decrypt. It asks for the passphrase itself; this page never has one. Pure.

/**
 * Whether encrypted files come with these entries. A file says so by its name; what is in a folder is known only of a server that
 * takes nothing else.
 * @param {{name: string, type: string}[]} entries @param {boolean} required whether this server takes encrypted files only
 */
export const areEncrypted = (entries, required) => entries.some(({ name, type }) => (type === "directory" ? required : name.endsWith(".age")));

/**
 * A download's transfer spec, with the wish to decrypt where there is something to decrypt.
 * @param {object} spec @param {{name: string, type: string}[]} entries @param {boolean} required
 */
export const decrypting = (spec, entries, required) => (areEncrypted(entries, required) ? { ...spec, content_protection: "decrypt" } : spec);
