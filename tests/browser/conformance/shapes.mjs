// @ts-check
// The shapes of part 1 of the reference (connect-and-node-api.md): error body, TransferInfo, TransferOutput, dataTransfer, …

import { all, base64, filled, having, is, like, listOf, number, oneOf, text, truth, uuid, whole, without } from "./match.mjs";

/** The app id of the test's pages. */
export const APP_ID = "Y29uZm9ybWFuY2Utb2YtR29kd2l0LWhhcmQtdG8tZ3Vlc3M=";

/** What the SDK adds to every POST. */
export const COMMON = { aspera_connect_settings: { app_id: APP_ID } };

/** 1.3: the body of every error. @param {number} code */
export const errorBody = (code) => ({ error: { code, internal_message: filled, user_message: filled } });

/** Local time without a zone. */
const date = like(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/);
const dateOrNothing = like(/^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)?$/);
const STATUSES = ["initiating", "queued", "running", "willretry", "completed", "failed", "cancelled", "removed"];
const status = oneOf(...STATUSES);

/** What must be in no answer, whatever the page gave. */
const noSecrets = without("remote_password", "token", "content_protection_passphrase", "authorization_key");

/** The settings of a transfer as they come back. */
export const settings = {
  app_id: APP_ID,
  request_id: uuid,
  back_link: like(/^http:\/\//),
  allow_dialogs: truth,
  return_files: truth,
  return_paths: truth,
  use_absolute_destination_path: truth,
};

const asperaTags = having({ index: whole, xfer_id: uuid, xfer_retry: whole });
const spec = all(noSecrets, having({ direction: oneOf("send", "receive"), remote_host: filled, tags: having({ aspera: asperaTags }) }));

/** 1.6: TransferOutput. The three ids are the same one. */
export const transferOutput = all(
  { aspera_connect_settings: settings, transfer_spec: spec, uuid, tags: { aspera: asperaTags } },
  is(
    "three times the same id",
    (output) => output.tags.aspera.xfer_id === output.uuid && output.transfer_spec.tags.aspera.xfer_id === output.uuid,
  ),
);

/** 1.6: what startTransfer answers. */
export const started = { transfer_specs: [transferOutput] };

const fileInfo = { bytes_expected: whole, bytes_written: whole, fasp_file_id: filled, file: filled };

/** 1.8: TransferInfo, with these differences. @param {Record<string, any>} [more] */
export const transferInfo = (more = {}) => ({
  uuid,
  status,
  previous_status: oneOf("", ...STATUSES),
  title: filled,
  aspera_connect_settings: settings,
  transfer_spec: spec,
  transport: oneOf("fasp", "http"),
  add_time: date,
  start_time: dateOrNothing,
  modify_time: date,
  end_time: dateOrNothing,
  bytes_expected: whole,
  bytes_written: whole,
  percentage: is("between 0 and 1", (value) => typeof value === "number" && value >= 0 && value <= 1),
  calculated_rate_kbps: number,
  elapsed_usec: whole,
  remaining_usec: whole,
  current_file: text,
  explorer_path: text,
  file_counts: { attempted: whole, completed: whole, failed: whole, skipped: whole },
  files: listOf(fileInfo),
  transfer_iteration_token: whole,
  error_code: whole,
  error_desc: text,
  ...more,
});

/** 1.6: activity. @param {any} transfers */
export const activity = (transfers) =>
  all(
    { iteration_token: whole, result_count: whole, transfers },
    is("result_count is the length of the list", (value) => value.result_count === value.transfers.length),
  );

/** A C-style date of local time: `Wed Jan 24 12:22:02 2019`. */
const cDate = like(/^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}$/);

/** A file of a dialog. @param {string} path @param {number} size @param {string} type */
export const file = (path, size, type) => ({ lastModifiedDate: cDate, name: path, size, type });
/** A folder of a dialog. @param {string} path */
export const folder = (path) => ({ lastModifiedDate: cDate, name: path, size: whole, type: oneOf("", "inode/directory") });
/** What a dialog answers. @param {...any} files */
export const dataTransfer = (...files) => ({ dataTransfer: { files } });

/** 1.6: version. Our own name and number are in further fields. */
export const version = {
  version: like(/^4\.2\.\d+\.\d+$/),
  system_wide: truth,
  product: "godwit",
  product_version: filled,
};

/** What reading a file answers. @param {string} type @param {Buffer} content */
export const content = (type, content) => ({ type, data: all(base64, content.toString("base64")) });
