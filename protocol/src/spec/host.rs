//! Names of transfer servers as specs give them.

use std::net::IpAddr;

/// Longest host name, bytes (RFC 1035).
const MAX_HOST: usize = 253;
/// Longest label of a host name, bytes.
const MAX_LABEL: usize = 63;

/// The server's name in the form that is shown, compared and connected to: an address without brackets, or an ASCII name
/// in lower case (international names become punycode). `None` if `text` is neither.
///
/// Names that end in a number (`127.1`, `0x7f000001`) are refused: resolvers take them for addresses, so one machine
/// would have many names and a grant for one of them would not be what the user read.
#[must_use]
pub fn normalise_host(text: &str) -> Option<String> {
    if text.is_empty() || text.len() > 4 * MAX_HOST {
        return None;
    }
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    if let Ok(address) = bare.unwrap_or(text).parse::<IpAddr>() {
        return (bare.is_none() || address.is_ipv6()).then(|| address.to_string());
    }
    let name = idna::domain_to_ascii_cow(text.as_bytes(), idna::AsciiDenyList::URL).ok()?;
    let name = name.strip_suffix('.').unwrap_or(&name);
    let label = |l: &str| {
        (1..=MAX_LABEL).contains(&l.len())
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    let numeric = last.bytes().all(|b| b.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|l| l.bytes().all(|b| b.is_ascii_hexdigit()));
    (name.len() <= MAX_HOST && name.split('.').all(label) && !numeric).then(|| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_have_one_form() {
        for (text, host) in [
            ("Example.COM", "example.com"),
            ("example.com.", "example.com"),
            ("server_1", "server_1"),
            ("10.0.0.1", "10.0.0.1"),
            ("[2001:DB8::1]", "2001:db8::1"),
            ("2001:db8:0:0::1", "2001:db8::1"),
            ("bücher.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(normalise_host(text).as_deref(), Some(host), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let long = format!("{}.com", "a.".repeat(130));
        let label = format!("{}.com", "a".repeat(64));
        for text in [
            "",
            " ",
            ".",
            "..",
            "a..b",
            "a b",
            "a/b",
            "a\\b",
            "a:33001",
            "user@a",
            "-a",
            "a-",
            "a\0",
            "a\n",
            "[10.0.0.1]",
            "[a]",
            "127.1",
            "0x7f000001",
            "2130706433",
            "1.2.3.4.5",
            "256.1.1.1",
            "http://a",
            "a?b",
            "a#b",
            "a%41",
            "fe80::1%eth0",
            "$(id)",
            long.as_str(),
            label.as_str(),
        ] {
            assert_eq!(normalise_host(text), None, "{text:?}");
        }
    }
}
