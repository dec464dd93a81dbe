//! `godwit status` and `godwit agent stop`.

use crate::agent::{Agent, AgentError};
use crate::args::StatusArgs;
use crate::text;
use godwit_protocol::spec::Direction;
use godwit_protocol::ui::{Status, TransferStatus, TransferView, kinds};
use serde_json::{Value, json};
use std::io::{self, Write};

/// Prints the agent and its transfers. No agent is a state like others, not an error.
pub(crate) fn run(args: &StatusArgs) -> Result<(), AgentError> {
    let mut out = io::stdout().lock();
    let Some(mut agent) = Agent::connect()? else {
        let line = if args.json {
            json!({"running": false}).to_string()
        } else {
            "The agent is not running. The browser starts it when it is needed.".into()
        };
        return print(&mut out, &line);
    };
    let status: Status = agent.ask(kinds::STATUS)?;
    if args.json {
        let mut value = serde_json::to_value(&status).map_err(|e| AgentError::Form(e.to_string()))?;
        if let Value::Object(fields) = &mut value {
            fields.insert("running".into(), true.into());
        }
        return print(&mut out, &value.to_string());
    }
    print(&mut out, table(&status).trim_end())
}

/// Ends the agent and waits until it is gone.
pub(crate) fn stop_agent() -> Result<(), AgentError> {
    let mut out = io::stdout().lock();
    let Some(mut agent) = Agent::connect()? else { return print(&mut out, "The agent is not running.") };
    match agent.ask::<Value>(kinds::SHUTDOWN) {
        Ok(_) => agent.wait_for_end()?,
        // It may be gone before its answer left.
        Err(AgentError::Io(_)) => {}
        Err(error) => return Err(error),
    }
    print(&mut out, "The agent has ended; its transfers go on when it is started again.")
}

/// Lets the installed program take over, and waits until it serves.
pub(crate) fn restart_agent() -> Result<(), AgentError> {
    let mut out = io::stdout().lock();
    let Some(mut agent) = Agent::connect()? else { return print(&mut out, "The agent is not running.") };
    match agent.ask::<Value>(kinds::RESTART) {
        Ok(_) => agent.wait_for_end()?,
        Err(AgentError::Io(_)) => {}
        Err(error) => return Err(error),
    }
    let Some(mut agent) = Agent::connect()? else { return print(&mut out, "The agent has ended.") };
    let status = agent.ask::<Status>(kinds::STATUS)?;
    print(&mut out, &format!("Agent {} runs now; its transfers go on.", text::shown(&status.version)))
}

/// A reader that has gone (`godwit status | head -1`) is no error.
fn print(out: &mut impl Write, line: &str) -> Result<(), AgentError> {
    match writeln!(out, "{line}") {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

fn table(status: &Status) -> String {
    let mut lines = vec![format!(
        "Agent {} running for {} (process {}, files in {})",
        text::shown(&status.version),
        text::clock(status.uptime_seconds),
        status.pid,
        text::shown(&status.home)
    )];
    lines.extend(status.notices.iter().map(|notice| format!("Note: {}", text::shown(notice))));
    if status.transfers.is_empty() {
        lines.push("No transfers.".into());
        return lines.join("\n");
    }
    let rows: Vec<[String; 6]> = status.transfers.iter().map(row).collect();
    let head = ["STATE", "", "DONE", "RATE", "SERVER", "TITLE"].map(str::to_owned);
    let mut widths = [0; 6];
    for row in rows.iter().chain([&head]) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in [&head].into_iter().chain(&rows) {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        lines.push(cells.join("  ").trim_end().to_owned());
    }
    for transfer in &status.transfers {
        if let Some(error) = &transfer.error {
            lines.push(format!("{}: {}", text::shown(&transfer.title), text::shown(&error.message)));
        }
    }
    lines.join("\n")
}

fn row(transfer: &TransferView) -> [String; 6] {
    let state = match transfer.status {
        TransferStatus::Initiating => "starting",
        TransferStatus::Queued => "queued",
        TransferStatus::Running => "running",
        TransferStatus::WillRetry => "will retry",
        TransferStatus::Completed => "completed",
        TransferStatus::Failed => "failed",
        TransferStatus::Cancelled => "stopped",
        TransferStatus::Removed => "removed",
    };
    let direction = match transfer.direction {
        Direction::Send => "up",
        Direction::Receive => "down",
    };
    let rate = match transfer.status {
        TransferStatus::Running => text::rate(transfer.rate_kbps),
        _ => String::new(),
    };
    let done = format!("{} of {}", text::bytes(transfer.bytes_written), text::bytes(transfer.bytes_expected));
    let clip = |value: &str| text::shown(&value.chars().take(60).collect::<String>());
    [state.into(), direction.into(), done, rate, clip(&transfer.remote_host), clip(&transfer.title)]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_each_transfer_and_its_error() {
        let status: Status = serde_json::from_value(json!({
            "version": "0.1.0", "pid": 7, "home": "/h", "uptime_seconds": 75, "counts": {}, "notices": ["set aside"],
            "transfers": [{
                "uuid": "u", "title": "film\u{1b}.mxf", "direction": "send", "origin": "https://example.com",
                "remote_host": "server", "status": "running", "bytes_expected": 2048, "bytes_written": 1024,
                "rate_kbps": 5000, "seconds_left": 1, "files_expected": 1, "files_completed": 0, "files_failed": 0,
                "current_file": "", "folder": null, "error": {"code": 25, "message": "no space"}, "attempts": 1,
                "added_ms": 0
            }]
        }))
        .unwrap();
        let lines: Vec<String> = table(&status).lines().map(str::to_owned).collect();
        assert_eq!(
            lines,
            [
                "Agent 0.1.0 running for 1:15 (process 7, files in /h)",
                "Note: set aside",
                "STATE        DONE                RATE        SERVER  TITLE",
                "running  up  1.0 KiB of 2.0 KiB  5.0 Mbit/s  server  film\u{fffd}.mxf",
                "film\u{fffd}.mxf: no space",
            ]
        );
    }
}
