//! Work on the disk, on threads that may hang (a network folder) without holding up anything else.

use crate::core::{Chosen, Input, Job, JobResult, files, probe, server_test};
use crate::grants::{Grant, GrantKind};
use crate::secrets::UNLOCK_LIMIT;
use crate::{drops, picker, spool, transfers};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};
use tokio::sync::mpsc;

/// A network folder that cannot be reached hangs for minutes; nobody waits that long.
const LIMIT: Duration = Duration::from_secs(60);

/// Starts `job`; its result goes to `inputs`.
pub(super) fn start(job: Job, inputs: mpsc::Sender<Input>) {
    tokio::spawn(async move {
        let ticket = job.ticket();
        let limit = LIMIT
            + match job {
                Job::File { .. } => files::SUM_LIMIT,
                Job::UnlockKeys { .. } => UNLOCK_LIMIT,
                _ => Duration::ZERO,
            };
        let result = match tokio::time::timeout(limit, tokio::task::spawn_blocking(move || run(job))).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => {
                tracing::error!(%error, "a job failed");
                JobResult::Lost { ticket }
            }
            Err(_) => {
                tracing::warn!("the disk does not answer");
                JobResult::Lost { ticket }
            }
        };
        // The main loop may have ended; then nobody waits any more.
        drop(inputs.send(Input::JobDone(result)).await);
    });
}

/// Runs a job here and now.
pub(crate) fn run(job: Job) -> JobResult {
    match job {
        Job::Plan { ticket, request, grants, downloads } => {
            let result = transfers::plan(&request, &grants, &downloads);
            JobResult::Planned { ticket, request, result }
        }
        Job::Inspect { ticket, paths, save } => {
            let chosen = paths.into_iter().filter_map(|path| inspect(path, save)).collect();
            JobResult::Inspected { ticket, chosen }
        }
        Job::Find { ticket, dropped, near, roots, except } => {
            JobResult::Found { ticket, found: drops::find(&dropped, &near, &roots, &except) }
        }
        Job::Spool { ticket, slot, bytes } => {
            let written = spool::disk::write(&slot, &bytes).map(|()| bytes.len() as u64);
            JobResult::Spooled { ticket, result: written.map_err(|e| format!("The copy could not be written: {e}")) }
        }
        Job::Unspool(folders) => {
            folders.iter().for_each(|folder| spool::disk::remove(folder));
            JobResult::Done
        }
        Job::ClearSpool { root, keep, before } => {
            spool::disk::clear(&root, &keep, before);
            JobResult::Done
        }
        Job::List { ticket, query, recent } => {
            JobResult::Listed { ticket, result: picker::list(&query, recent.as_deref()) }
        }
        Job::File { ticket, wish, grants } => JobResult::Answer { ticket, answer: files::carry_out(&wish, &grants) },
        Job::Connect { ticket, wish } => JobResult::Answer { ticket, answer: probe::try_port(&wish) },
        Job::Log { ticket, file, word } => JobResult::LogRead { ticket, lines: crate::logging::excerpt(&file, &word) },
        Job::TryTcp { ticket, host, port } => JobResult::TcpTried { ticket, result: server_test::try_tcp(&host, port) },
        Job::Keys(places) => JobResult::Keys(places.settle()),
        Job::UnlockKeys { ticket, places } => JobResult::UnlockedKeys { ticket, result: places.unlock() },
        Job::TryProgram { ticket, program, always } => {
            let result = (always || program.is_replaced()).then(|| program.try_installed());
            JobResult::TriedProgram { ticket, result }
        }
        Job::Create { ticket, folder } => JobResult::Listed { ticket, result: picker::create(&folder) },
    }
}

fn inspect(path: String, save: bool) -> Option<Chosen> {
    let granted = if save { Grant::target(Path::new(&path)) } else { Grant::existing(Path::new(&path)) };
    let grant = match granted {
        Ok(grant) => grant,
        Err(error) => {
            tracing::warn!(path, %error, "a chosen file cannot be used");
            return None;
        }
    };
    let meta = std::fs::metadata(&grant.path).ok();
    let size = meta.as_ref().filter(|_| grant.kind != GrantKind::Folder).map_or(0, std::fs::Metadata::len);
    let modified = meta.and_then(|m| m.modified().ok()).and_then(|t| t.duration_since(UNIX_EPOCH).ok());
    let modified_ms = modified.and_then(|d| u64::try_from(d.as_millis()).ok()).unwrap_or_default();
    Some(Chosen { path, grant, size, modified_ms })
}
