//! Can a server be reached? Asked without a login, for people who look for what is in the way.

use crate::connect::connect;
use crate::rate::Limits;
use godwit_protocol::worker::{Failure, RateSettings, ServerAddress};
use std::sync::Arc;
use std::time::Duration;

/// A server that answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// `SHA256:…` of its certificate.
    pub fingerprint: String,
    /// Of the path.
    pub round_trip: Duration,
}

/// Connects by UDP and leaves. What the address says of users is not looked at.
///
/// # Errors
/// What a transfer would end with: 14 and 15 name what is blocked; one about the certificate means that it was reached.
pub async fn reach(server: &ServerAddress) -> Result<Reached, Failure> {
    let connected = connect(server, Arc::new(Limits::new(RateSettings::default()))).await?;
    let reached = Reached { fingerprint: connected.fingerprint, round_trip: connected.connection.rtt() };
    connected.connection.close(0u32.into(), b"");
    connected.endpoint.wait_idle().await;
    Ok(reached)
}
