//! The rate of one session at a server: the client's wish, the administrator's rules and the share of what is limited for
//! many sessions together, in one place. Each change is in force with the next packet.

use crate::rate::Limits;
use crate::rules::{Rules, least};
use godwit_protocol::RateKbps;
use godwit_protocol::worker::RateSettings;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// See the module.
pub(crate) struct Ration {
    rules: Rules,
    /// What the sender obeys: this server, or its client, which is told.
    limits: Arc<Limits>,
    /// How fast content is taken in, for clients that do not obey.
    intake: Arc<Limits>,
    state: Mutex<State>,
    told: watch::Sender<RateSettings>,
}

#[derive(Clone, Copy)]
struct State {
    wish: RateSettings,
    share: Option<RateKbps>,
}

impl Ration {
    pub(crate) fn new(rules: Rules, wish: RateSettings, limits: Arc<Limits>) -> Self {
        let intake = Arc::new(Limits::new(RateSettings::default()));
        let told = watch::Sender::new(rules.apply(wish));
        let this = Self { rules, limits, intake, state: Mutex::new(State { wish, share: None }), told };
        this.enforce(*this.state());
        this
    }

    /// The client wishes something else.
    pub(crate) fn wish(&self, wish: RateSettings) {
        let mut state = self.state();
        state.wish = wish;
        self.enforce(*state);
    }

    /// What the limits that hold for many sessions leave to this one. A change too small to matter changes nothing.
    pub(crate) fn share(&self, share: Option<RateKbps>) {
        let mut state = self.state();
        let near = match (state.share, share) {
            (Some(old), Some(new)) => old.0.abs_diff(new.0) <= old.0 / 64,
            (old, new) => old == new,
        };
        if !near {
            state.share = share;
            self.enforce(*state);
        }
    }

    /// What the rules grant, without the share.
    pub(crate) fn granted(&self) -> RateSettings {
        self.rules.apply(self.state().wish)
    }

    /// The limits in force, with the share; for the client of an upload.
    pub(crate) fn in_force(&self) -> watch::Receiver<RateSettings> {
        self.told.subscribe()
    }

    /// How fast content may be taken in.
    pub(crate) fn intake(&self) -> &Arc<Limits> {
        &self.intake
    }

    fn enforce(&self, state: State) {
        let granted = self.rules.apply(state.wish);
        let now = RateSettings { cap: least(granted.cap, state.share), ..granted };
        self.limits.set(now);
        // A client's own target is its own affair; a locked one is ours.
        let target = granted.target.filter(|_| self.rules.locks.target);
        let cap = least(least(self.rules.target_cap, state.share), target);
        self.intake.set(RateSettings { cap, ..RateSettings::default() });
        self.told.send_if_modified(|told| std::mem::replace(told, now) != now);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use godwit_protocol::wire::RateLocks;

    fn kbps(n: u64) -> Option<RateKbps> {
        Some(RateKbps(n))
    }

    #[test]
    fn the_lowest_of_wish_rule_and_share_is_in_force_at_once() {
        let rules = Rules { target_cap: kbps(8_000), ..Rules::default() };
        let limits = Arc::new(Limits::new(RateSettings::default()));
        let ration =
            Ration::new(rules, RateSettings { target: kbps(80_000), ..RateSettings::default() }, limits.clone());
        assert_eq!((limits.bytes_per_second(), ration.intake().bytes_per_second()), (Some(1_000_000), Some(1_000_000)));
        ration.share(kbps(800));
        assert_eq!((limits.bytes_per_second(), ration.intake().bytes_per_second()), (Some(100_000), Some(100_000)));
        ration.wish(RateSettings { target: kbps(80), ..RateSettings::default() });
        assert_eq!((limits.bytes_per_second(), ration.intake().bytes_per_second()), (Some(10_000), Some(100_000)));
        ration.share(None);
        assert_eq!((limits.bytes_per_second(), ration.intake().bytes_per_second()), (Some(10_000), Some(1_000_000)));
    }

    #[test]
    fn a_client_that_uploads_is_told_of_every_change_that_matters() {
        let locks = RateLocks { target: true, ..RateLocks::default() };
        let rules = Rules { target_default: kbps(800), locks, ..Rules::default() };
        let ration = Ration::new(rules, RateSettings::default(), Arc::new(Limits::new(RateSettings::default())));
        assert_eq!(ration.intake().bytes_per_second(), Some(100_000), "a locked target is kept here too");
        let mut told = ration.in_force();
        ration.wish(RateSettings { target: kbps(1), ..RateSettings::default() });
        assert!(!told.has_changed().unwrap_or(true), "a wish against a lock changes nothing");
        ration.share(kbps(500));
        assert!(told.has_changed().unwrap_or(false));
        assert_eq!(told.borrow_and_update().cap, kbps(500));
        ration.share(kbps(501));
        assert!(!told.has_changed().unwrap_or(true));
    }
}
