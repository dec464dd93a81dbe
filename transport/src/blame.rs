//! A server that does not answer over UDP: whose fault that is, and how long to wait before saying so.
//!
//! Pure: what was seen so far comes in, and the verdict or the time to look again comes out. The numbers are chosen so
//! that blocked UDP on an ordinary line is told within three seconds, and a line that is long or lossy still connects.

use godwit_protocol::ErrorCode;
use godwit_protocol::worker::Failure;
use std::net::IpAddr;
use std::time::Duration;

/// On a line whose TCP handshake is quick, UDP has had four tries by then.
const PATIENCE: Duration = Duration::from_millis(2_500);
/// Where TCP took long, be it by distance or by loss, UDP gets several times as long.
const PER_HANDSHAKE: u32 = 4;
const AND: Duration = Duration::from_secs(1);
/// A refusal may be the moment of a restart; a second one is believed.
const REFUSED: Duration = Duration::from_millis(1_200);
/// With no sign from anybody: TCP has tried four times by then.
const SILENCE: Duration = Duration::from_secs(10);
/// Once any packet came back, the handshake may take its time.
const HANDSHAKE: Duration = Duration::from_secs(25);

/// What TCP did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tcp {
    /// Nothing yet.
    Pending,
    /// It connected, and took so long.
    Answers(Duration),
    /// Nobody listens there; the answer took so long.
    Refused(Duration),
    /// The system says why not.
    Failed(String),
}

/// What UDP did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Udp {
    /// Nothing came back.
    Silent,
    /// The network or the system says no, in these words.
    Refused(String),
    /// A packet came back.
    Heard,
}

/// Whom it is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) ip: IpAddr,
    pub(crate) udp: u16,
    pub(crate) tcp: u16,
}

/// When the next thing is decided if nothing changes until then.
pub(crate) fn patience(tcp: &Tcp, udp: &Udp) -> Duration {
    let took = match tcp {
        Tcp::Answers(took) | Tcp::Refused(took) => *took,
        Tcp::Failed(_) => Duration::ZERO,
        Tcp::Pending if *udp == Udp::Heard => return HANDSHAKE,
        Tcp::Pending => return SILENCE,
    };
    let long = took.saturating_mul(PER_HANDSHAKE) + AND;
    match udp {
        Udp::Heard => HANDSHAKE,
        Udp::Silent => PATIENCE.max(long),
        // Two times the distance: one for each refusal.
        Udp::Refused(_) => REFUSED.max(took * 2),
    }
}

/// The words when that time is over.
pub(crate) fn verdict(tcp: &Tcp, udp: &Udp, place: Place) -> Failure {
    let Place { ip, udp: port, tcp: other } = place;
    let (code, message) = match (tcp, udp) {
        (_, Udp::Heard) => (
            ErrorCode::DataTimeout,
            format!("{ip} answers over UDP port {port}, but no session came about in time. The line loses too much."),
        ),
        (Tcp::Answers(_), Udp::Silent) => (
            ErrorCode::DataTimeout,
            format!(
                "No answer over UDP port {port} from {ip}, although TCP port {other} answers: something between blocks \
                 UDP. UDP port {port} must be open in the firewalls on both sides."
            ),
        ),
        (Tcp::Answers(_), Udp::Refused(why)) => (
            ErrorCode::DataConnection,
            format!(
                "UDP port {port} of {ip} cannot be reached ({why}), although TCP port {other} answers. UDP port {port} \
                 must be open in the firewalls on both sides, and the server must use it."
            ),
        ),
        (Tcp::Pending, Udp::Silent) => (
            ErrorCode::ControlTimeout,
            format!(
                "No answer from {ip}, neither over TCP port {other} nor over UDP port {port}. Check the address, the \
                 network, and that the firewalls let both through."
            ),
        ),
        (Tcp::Pending, Udp::Refused(why)) => (
            ErrorCode::DataConnection,
            format!("UDP port {port} of {ip} cannot be reached ({why}), and TCP port {other} gives no answer."),
        ),
        (Tcp::Refused(_), _) => (
            ErrorCode::ControlFailed,
            format!(
                "Nobody listens at {ip}, neither on TCP port {other} nor on UDP port {port}. Is the server running, and \
                 are address and port right?"
            ),
        ),
        (Tcp::Failed(why), _) => (
            ErrorCode::ControlFailed,
            format!("{ip} cannot be reached ({why}). Check the address and the network of this machine."),
        ),
    };
    Failure { code, message, fingerprint: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_millis(40);

    fn code(tcp: &Tcp, udp: &Udp) -> u16 {
        let place = Place { ip: [192, 0, 2, 1].into(), udp: 33001, tcp: 22 };
        let failure = verdict(tcp, udp, place);
        assert!(failure.message.contains("192.0.2.1"), "{failure}");
        failure.code.number()
    }

    fn refused() -> Udp {
        Udp::Refused("refused".into())
    }

    #[test]
    fn blocked_udp_is_told_within_three_seconds() {
        // The probes begin a quarter of a second after the handshake; the rest is for the way through our own code.
        for (udp, number) in [(Udp::Silent, 15), (refused(), 14)] {
            let tcp = Tcp::Answers(QUICK);
            assert!(patience(&tcp, &udp) < Duration::from_millis(2_800));
            assert_eq!(code(&tcp, &udp), number);
        }
        assert_eq!(code(&Tcp::Refused(QUICK), &refused()), 12);
        assert_eq!(code(&Tcp::Failed("no route".into()), &Udp::Silent), 12);
        assert_eq!(code(&Tcp::Pending, &Udp::Silent), 13);
        assert_eq!(code(&Tcp::Pending, &refused()), 14);
    }

    #[test]
    fn a_long_or_lossy_line_gets_its_time() {
        let satellite = Tcp::Answers(Duration::from_millis(1_000));
        assert!(patience(&satellite, &Udp::Silent) >= Duration::from_secs(5));
        let lost_once = Tcp::Answers(Duration::from_millis(1_200));
        assert!(patience(&lost_once, &Udp::Silent) >= Duration::from_secs(5));
        assert!(patience(&Tcp::Pending, &Udp::Silent) >= Duration::from_secs(10), "TCP is still trying");
        for tcp in [Tcp::Pending, Tcp::Answers(QUICK), Tcp::Refused(QUICK), Tcp::Failed(String::new())] {
            assert!(patience(&tcp, &Udp::Heard) >= Duration::from_secs(20), "somebody is there: {tcp:?}");
        }
    }
}
