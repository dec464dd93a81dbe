// @ts-check
// What to do about an error, and a transfer in words for whoever is asked for help. Pure. Holds no secret: the agent
// gives none to windows.

/** Next steps by the predecessor's error numbers; keys of the catalogue. @type {Record<string, number[]>} */
const STEPS = {
  stepControl: [12, 13],
  stepData: [14, 15, 18, 44],
  stepLost: [16, 17, 39, 40],
  stepLogin: [19, 34, 37],
  stepPath: [4, 41, 43],
  stepRights: [5, 26],
  stepSpace: [25],
  stepSource: [35],
  stepTarget: [36],
  stepExists: [42],
  stepSomeFiles: [27],
  stepCertificate: [51],
  stepName: [55, 56],
  stepMemory: [23, 32, 33],
};

/** Numbers with a sentence in the catalogue (`error4`, …): those of protocol/src/error_code.rs. */
export const ERROR_CODES = Object.freeze([
  ...[1, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15, 16, 19, 20, 21, 23, 24, 25, 26, 27, 28, 34, 35, 36, 39, 40, 41, 42, 43, 48, 51, 55, 56, 63, 64],
]);

/**
 * An error in the person's language. The agent speaks English and knows more about the single case; where the catalogue has the
 * number, its sentence comes first and the agent's detail in brackets after it stays.
 * @param {{code: number, message: string}} error @param {(key: string) => string} t @param {string} language
 * @returns {string}
 */
export function failureText({ code, message }, t, language) {
  if (language.startsWith("en") || !ERROR_CODES.includes(code)) return message;
  // The agent's words for a number end with its detail in brackets, if there is one.
  const detail = /\. (\(.+\))$/su.exec(message)?.[1];
  const own = t(`error${code}`);
  return detail === undefined ? own : `${own} ${detail}`;
}

/** @param {number} code @returns {string | null} */
export function stepKey(code) {
  return Object.entries(STEPS).find(([, codes]) => codes.includes(code))?.[0] ?? null;
}

/** All keys that `stepKey` may give, for the test of the catalogue. */
export const STEP_KEYS = Object.keys(STEPS);

/** @param {TransferView} view @param {{extension?: string, api?: string}} versions @returns {string} in English: it is for support */
export function reportText(view, versions) {
  const lines = [
    ["Godwit", `extension ${versions.extension ?? "?"}, API ${versions.api ?? "?"}`],
    ["Transfer", view.uuid],
    ["Title", view.title],
    ["Direction", view.direction],
    ["Site", view.origin],
    ["Server", view.remote_host],
    ["State", view.status],
    ["Error", view.error === null ? "none" : `${view.error.code}: ${view.error.message}`],
    ["Bytes", `${view.bytes_written} of ${view.bytes_expected}`],
    ["Files", `${view.files_completed} of ${view.files_expected}, ${view.files_failed} failed`],
    ["Rate", `${view.rate_kbps} kbit/s`],
    ["Attempts", String(view.attempts)],
    ["Added", new Date(view.added_ms).toISOString()],
  ];
  return `${lines.map(([name, value]) => `${name}: ${value}`).join("\n")}\n`;
}
