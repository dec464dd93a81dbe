//! Whose a connection from this machine is: the kernel's table says it, the connection itself does not.

use std::net::SocketAddr;
use std::time::Duration;

/// The kernel shows its table piece by piece while it changes: an entry can be missing once.
const LOOKS: u32 = 10;
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// The user whose socket is at `from`, connected to `to`; `None` if that is unclear.
pub(super) async fn owner(from: SocketAddr, to: SocketAddr) -> Option<u32> {
    for _ in 0..LOOKS {
        let found = find(&std::fs::read_to_string("/proc/net/tcp").ok()?, from, to);
        if found.is_some() {
            return found;
        }
        tokio::time::sleep(PAUSE).await;
    }
    None
}

/// Reads the table: `sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid …`
fn find(table: &str, local: SocketAddr, remote: SocketAddr) -> Option<u32> {
    let (local, remote) = (column(local)?, column(remote)?);
    let mut owners = table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let here = fields.next()? == local && fields.next()? == remote;
        let state = fields.next()?;
        // ESTABLISHED and CLOSE_WAIT have an owner; a socket that nobody holds any more shows uid 0.
        (here && matches!(state, "01" | "08")).then(|| fields.nth(3)?.parse().ok()).flatten()
    });
    let owner = owners.next()?;
    // For the same reason it may be there twice.
    owners.all(|other| other == owner).then_some(owner)
}

/// `0100007F:80EB`: the address in the machine's byte order, the port as a number.
fn column(address: SocketAddr) -> Option<String> {
    let SocketAddr::V4(address) = address else { return None };
    let word = u32::from_ne_bytes(address.ip().octets());
    Some(format!("{word:08X}:{:04X}", address.port()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[tokio::test]
    async fn a_connection_from_this_process_is_this_users_and_one_that_is_not_there_is_nobodys() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (from, to) = (client.local_addr().unwrap(), listener.local_addr().unwrap());
        assert_eq!(owner(from, to).await, Some(rustix::process::geteuid().as_raw()));
        assert_eq!(owner(to, "127.0.0.1:1".parse().unwrap()).await, None);
    }

    #[test]
    fn the_table_is_read_by_address_port_and_state() {
        let line = |state: &str, uid: &str| {
            format!(
                "   0: 0100007F:1234 0100007F:80EB {state} 00000000:00000000 00:00000000 00000000  {uid}        0 1 1 0 20 4"
            )
        };
        let (from, to) = ("127.0.0.1:4660".parse().unwrap(), "127.0.0.1:33003".parse().unwrap());
        let look = |lines: &[String]| find(&format!("head\n{}", lines.join("\n")), from, to);
        if cfg!(target_endian = "little") {
            assert_eq!(look(&[line("01", "1000")]), Some(1000));
        }
        assert_eq!(look(&[line("06", "0")]), None, "a closed one has no owner");
        assert_eq!(look(&[line("01", "1000"), line("01", "0")]), None, "unclear means refuse");
        assert_eq!(look(&["rubbish".into(), String::new(), line("01", "x")]), None);
    }
}
