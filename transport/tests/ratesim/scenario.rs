//! Ready-made situations.

use godwit_transport::rate::{Policy, Settings};

use super::SEC;
use super::bbr::Bbr;
use super::cubic::Cubic;
use super::flow::{Cc, FlowSpec};
use super::link::LinkSpec;
use super::ours::Ours;
use super::world::World;

/// One session of ours alone; returns the world after `seconds`.
pub fn alone(spec: LinkSpec, settings: Settings, seconds: u64, seed: u64) -> World {
    let mut world = World::new(spec, seed);
    world.add(FlowSpec::ours(), Ours::boxed(settings));
    world.run(seconds * SEC);
    world
}

pub fn fair() -> Settings {
    Settings::default()
}

pub fn with_policy(policy: Policy) -> Settings {
    Settings { policy, ..Settings::default() }
}

/// A target in Mbit/s.
pub fn target(mbit: f64) -> Settings {
    Settings { target: Some(mbit * 1e6 / 8.0), ..Settings::default() }
}

pub fn cubic() -> Box<dyn Cc> {
    Box::new(Cubic::new())
}

pub fn bbr() -> Box<dyn Cc> {
    Box::new(Bbr::new())
}
