//! Names under which anybody can register a site: a wildcard directly below one of them would cover strangers.
//!
//! This is not the Public Suffix List: the crates that bundle it add several hundred kilobytes to the WebAssembly
//! build for a check that only guards what an administrator or the user wrote by hand. A rule covers the registries of
//! countries, a short list covers hosting companies. What is missed still needs a person to write the wildcard.

/// Second-level words that registries of countries use for everybody (`co.uk`, `com.au`, `ne.jp`, …).
const REGISTRY_WORDS: &[&str] = &[
    "ac", "asn", "biz", "co", "com", "edu", "firm", "gen", "go", "gob", "gouv", "gov", "govt", "gv", "id", "ind",
    "info", "int", "k12", "lg", "ltd", "me", "mil", "mod", "muni", "name", "ne", "net", "nhs", "nic", "nom", "or",
    "org", "plc", "police", "press", "pro", "res", "sch", "school", "tm", "web",
];

/// Names below which hosting companies give sites to everybody.
const HOSTING: &[&str] = &[
    "appspot.com",
    "azureedge.net",
    "azurewebsites.net",
    "blogspot.com",
    "cloudapp.net",
    "cloudfront.net",
    "firebaseapp.com",
    "fly.dev",
    "github.io",
    "gitlab.io",
    "glitch.me",
    "herokuapp.com",
    "netlify.app",
    "ngrok.io",
    "onrender.com",
    "pages.dev",
    "r2.dev",
    "readthedocs.io",
    "repl.co",
    "run.app",
    "s3.amazonaws.com",
    "surge.sh",
    "trycloudflare.com",
    "vercel.app",
    "web.app",
    "wordpress.com",
    "workers.dev",
];

/// True if `host` (ASCII, lower case) is such a name: a single label, a country's registry, or a hosting company's.
pub(super) fn is_public(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let Some((first, rest)) = host.split_once('.') else { return true };
    let country = rest.len() == 2 && REGISTRY_WORDS.contains(&first);
    country || HOSTING.contains(&host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_and_hosting_companies_are_public_and_their_customers_are_not() {
        for host in ["com", "localhost", "co.uk", "com.au", "ne.jp", "gov.uk", "github.io", "github.io.", "pages.dev"] {
            assert!(is_public(host), "{host}");
        }
        for host in ["example.com", "example.co.uk", "me.github.io", "co.example.uk", "bbc.uk", "com.example.com"] {
            assert!(!is_public(host), "{host}");
        }
    }
}
