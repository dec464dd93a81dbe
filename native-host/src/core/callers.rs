//! Which browsers' extensions called lately, and of what version: for people who look for a fault.

use super::{ConnId, Core};
use crate::store::Tree;
use crate::time::Now;
use godwit_protocol::ui::Called;

pub(super) const CALLERS_FORM: u32 = 1;
pub(super) const CALLERS_KEY: &str = "callers";
/// Most that are remembered; the one that has been silent for the longest time makes room.
const MOST: usize = 16;
/// A browser that calls again and again is written down this often, milliseconds.
const STEP: u64 = 3_600_000;

impl Core {
    /// The extension behind `conn` has said who it is.
    pub(super) fn called(&mut self, conn: ConnId, version: &str, now: Now) {
        let Some(client) = self.clients.get(&conn) else { return };
        let of = |name: &str| client.host[name].as_str().unwrap_or_default().to_owned();
        let call = Called {
            browser: of("browser"),
            extension_id: of("extension_id"),
            version: version.to_owned(),
            host_version: of("version"),
            last_ms: now.wall_ms,
        };
        self.callers_unsaved |= take(&mut self.callers, call);
    }

    /// Adds them to what is being written anyway: a browser that only says who it is must not wake the disk.
    pub(super) fn save_callers(&mut self) {
        if std::mem::take(&mut self.callers_unsaved) {
            let callers = std::mem::take(&mut self.callers);
            self.put(Tree::Meta, CALLERS_KEY.into(), CALLERS_FORM, &callers);
            self.callers = callers;
        }
    }
}

/// Newest first. True if there is something new to write.
fn take(callers: &mut Vec<Called>, call: Called) -> bool {
    let place = callers.iter().position(|c| c.browser == call.browser && c.extension_id == call.extension_id);
    let old = place.map(|place| callers.remove(place));
    let same = old.is_some_and(|old| {
        old.version == call.version
            && old.host_version == call.host_version
            && call.last_ms.abs_diff(old.last_ms) < STEP
    });
    callers.insert(0, call);
    callers.truncate(MOST);
    !same
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn call(browser: &str, version: &str, last_ms: u64) -> Called {
        Called { browser: browser.into(), version: version.into(), last_ms, ..Called::default() }
    }

    #[test]
    fn each_browser_is_there_once_with_its_last_call_and_few_are_remembered() {
        let mut callers = Vec::new();
        assert!(take(&mut callers, call("firefox", "1", 0)));
        assert!(take(&mut callers, call("chromium", "1", 10)));
        assert!(!take(&mut callers, call("firefox", "1", 20)), "nothing that must be written now");
        assert!(take(&mut callers, call("chromium", "2", 30)));
        assert_eq!(callers, [call("chromium", "2", 30), call("firefox", "1", 20)]);
        assert!(take(&mut callers, call("firefox", "1", 20 + STEP)));
        for n in 0..2 * MOST {
            take(&mut callers, call(&n.to_string(), "1", STEP * 2));
        }
        assert_eq!(callers.len(), MOST);
    }
}
