//! Which servers this one may call. Whoever may start transfers here must not reach what only this machine can reach.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// A name that is not found in this time is not found.
const MAX_LOOKUP: Duration = Duration::from_secs(5);

/// Whether anybody on the internet could call this address just as well.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let special =
                a == 0 || a >= 240 || (a, b) == (198, 18) || (a, b) == (198, 19) || v4.octets()[..3] == [192, 0, 0];
            !(v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast())
                && !(v4.is_broadcast() || v4.is_documentation() || shared || special)
        }
        IpAddr::V6(v6) => {
            let first = v6.segments()[0];
            // 2000::/3 is what is given out; of it the ranges that hide other addresses are left out.
            let hides = first == 0x2002 || v6.segments()[..2] == [0x2001, 0] || v6.segments()[..2] == [0x2001, 0xdb8];
            first & 0xe000 == 0x2000 && !hides && !is_translated(v6)
        }
    }
}

/// 64:ff9b::/96 leads to IPv4 addresses of any kind.
fn is_translated(v6: Ipv6Addr) -> bool {
    v6.segments()[..2] == [0x64, 0xff9b]
}

/// The address behind a name, if it may be called. The one that was looked at is the one that is called: a name that leads
/// elsewhere a moment later gains nothing.
pub(super) async fn resolve(host: &str, port: u16, private: bool, own_port: u16) -> io::Result<Option<IpAddr>> {
    let looked = tokio::time::timeout(MAX_LOOKUP, tokio::net::lookup_host((host, port))).await;
    let found: Vec<SocketAddr> = looked.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??.collect();
    // This server itself is no secret to its users.
    let own = |address: &SocketAddr| address.ip().is_loopback() && port == own_port;
    Ok(found.iter().find(|a| private || is_public(a.ip()) || own(a)).map(SocketAddr::ip))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn t25_addresses_that_only_this_machine_reaches_are_not_public() {
        for inner in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "198.18.0.1",
            "192.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
        ] {
            assert!(!is_public(inner.parse().unwrap()), "{inner}");
        }
        for outer in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(is_public(outer.parse().unwrap()), "{outer}");
        }
    }

    #[tokio::test]
    async fn t25_this_server_itself_may_be_called_and_its_neighbours_ports_may_not() {
        assert!(resolve("127.0.0.1", 33001, false, 33001).await.unwrap().is_some());
        assert!(resolve("127.0.0.1", 22, false, 33001).await.unwrap().is_none());
        assert!(resolve("127.0.0.1", 22, true, 33001).await.unwrap().is_some());
    }
}
