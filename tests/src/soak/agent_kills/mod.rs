//! The agent dies at random moments under load, by SIGKILL or because the power of its disk is cut, while a page and a
//! user give it orders as fast as it takes them. After every death the next agent must know all that was acknowledged:
//! each transfer once, nothing completed that is not, every stop, removal, rate, setting, trust decision and password.
//!
//! What the agent did not answer any more may have happened or not; [`ledger`] keeps both possibilities until the next
//! agent shows which it was.

mod acts;
mod ledger;

use crate::tree::{self, Noise};
use crate::wait::{LONG, SOON, until_true};
use crate::{Browserish, PowerDisk, Scratch, Server, ServerOptions, processes};
use acts::Acts;
use ledger::Ledger;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How the agent dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// SIGKILL.
    Kill,
    /// The power of the disk with everything it keeps is cut: only what was synced is there afterwards.
    PowerCut,
}

/// One run of the matrix.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How it dies.
    pub death: Death,
    /// How often.
    pub moments: u32,
    /// Transfers on the list at the beginning.
    pub queued: u32,
    /// Of these run at once.
    pub running: u32,
    /// How many shall complete in the end, to show that their passwords are still known; the rest is removed.
    pub complete: usize,
    /// Chooses moments and orders.
    pub seed: u64,
}

/// The agent gives up after at most this much of its life.
const LIFE_MS: u64 = 700;
/// Sizes of the sources; at the rate of [`acts`] a transfer outlives most agents.
const SOURCE_BYTES: u64 = 300_000;
/// Different sources, so that a mix-up shows.
const SOURCES: u32 = 16;

/// Runs it. Figures, or `skipped`.
#[must_use]
pub fn run(plan: &Plan) -> Value {
    println!("agent kills: {plan:?}");
    let scratch = Scratch::new();
    let disk = match plan.death {
        Death::Kill => None,
        Death::PowerCut => match PowerDisk::mount(&scratch.home(), &scratch.path("image"), 512) {
            Some(disk) => Some(Arc::new(disk)),
            None => return json!("skipped: no right to mount"),
        },
    };
    scratch.write_settings(&format!(
        "[retry]\nattempts = 1000\ninterval_seconds = 1\n\n[queue]\nactive = {}\n\n[log]\nlevel = \"warn\"\n",
        plan.running
    ));
    let server = Server::start(&scratch, ServerOptions::default());
    for n in 0..SOURCES {
        tree::file(&server.docroot().join(acts::source(n)), SOURCE_BYTES, u64::from(n));
    }
    let begin = Instant::now();
    let mut dice = Noise::new(plan.seed);
    let mut ledger = Ledger::new(scratch.home().join("Downloads"), server.docroot().to_owned());
    let mut browser = Browserish::open(&scratch);
    let mut done = 0;
    {
        let mut acts = Acts { browser: &browser, server: &server, ledger: &mut ledger, dice: &mut dice };
        acts.trust_the_sites();
        acts.fill(plan.queued);
    }
    until_true("transfers run", SOON, || scratch.workers().len() >= plan.running as usize);
    let mut slowest = Duration::ZERO;
    for moment in 0..plan.moments {
        let life = Duration::from_millis(dice.below(LIFE_MS));
        let pid = browser.status().pid;
        let executioner = {
            let disk = disk.clone();
            std::thread::spawn(move || {
                std::thread::sleep(life);
                if let Some(disk) = disk {
                    disk.cut();
                }
                processes::kill_hard(pid);
            })
        };
        let mut acts = Acts { browser: &browser, server: &server, ledger: &mut ledger, dice: &mut dice };
        while acts.one(plan.queued) {
            done += 1;
        }
        executioner.join().expect("the kill");
        drop(browser);
        until_true("the workers end with their agent", SOON, || scratch.workers().is_empty());
        if let Some(disk) = &disk {
            until_true("nobody is left of this home", SOON, || processes::of_home(&scratch.home()).is_empty());
            disk.back();
        }
        let again = Instant::now();
        browser = Browserish::open(&scratch);
        slowest = slowest.max(again.elapsed());
        ledger.compare(&browser, &format!("after death {} (seed {})", moment + 1, plan.seed));
    }
    let completed = complete(plan, &browser, &mut ledger);
    json!({
        "deaths": plan.moments, "seed": plan.seed, "orders_answered": done, "orders_cut_off": ledger.cut_off,
        "of_these_carried_out": ledger.carried_out, "transfers": ledger.started(), "completed_at_the_end": completed,
        "slowest_restart_ms": slowest.as_millis() as u64, "seconds": begin.elapsed().as_secs_f64(),
    })
}

/// Lets some transfers of the list complete, whose passwords nobody gives again.
fn complete(plan: &Plan, browser: &Browserish, ledger: &mut Ledger) -> usize {
    let chosen = ledger.keep_some(browser, plan.complete);
    let ids: Vec<String> = chosen.iter().map(|(_, uuid)| uuid.clone()).collect();
    let limit = LONG + Duration::from_secs(2) * u32::try_from(ids.len()).unwrap_or(u32::MAX);
    for (site, uuid) in &chosen {
        let page = browser.page(&acts::site(*site), acts::APP);
        let (status, body) = page.act("resume", uuid);
        // It may have completed this moment.
        assert!(status == 200 || (status == 409 && body["error"]["internal_message"] == "completed"), "{body}");
    }
    for (site, uuid) in &chosen {
        let page = browser.page(&acts::site(*site), acts::APP);
        crate::until("a kept transfer completes", limit, || {
            let info = page.info(uuid);
            assert_ne!(info["status"], "failed", "its password is known: {info}");
            // More slowly than the page may ask.
            (info["status"] == "completed").then_some(())
        });
    }
    ledger.compare(browser, "at the end");
    ids.len()
}

/// The long form.
#[must_use]
pub fn long(rounds: u32, seed: u64) -> Vec<super::Outcome> {
    let mut outcomes = Vec::new();
    for round in 0..rounds {
        for death in [Death::Kill, Death::PowerCut] {
            let seed = seed.wrapping_add(u64::from(round));
            let plan = Plan { death, moments: 200, queued: 500, running: 10, complete: 60, seed };
            outcomes.push(super::Outcome::of(&format!("agent {death:?}"), || run(&plan)));
        }
    }
    outcomes
}
