//! Certificates that a certificate authority stands behind, or should: which of them a client takes for the server's.

#![allow(clippy::unwrap_used)]

use godwit_tests::wait::{LONG, SOON, until_true};
use godwit_tests::{Scratch, Server, ServerOptions, processes, tree};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType, date_time_ymd};
use rustix::process::Signal;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Certificates of a chain that no server needs.
const HUGE: usize = 2_000;

/// Somebody who signs certificates.
struct Authority {
    pem: String,
    key: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, key: key.serialize_pem(), issuer: Issuer::new(params, key) }
    }

    /// A certificate for `key`; for this machine, and from last year until far away, unless `change` says otherwise.
    fn issue(&self, key: &KeyPair, change: impl FnOnce(&mut CertificateParams)) -> String {
        let mut params = for_this_machine();
        change(&mut params);
        params.signed_by(key, &self.issuer).unwrap().pem()
    }
}

fn for_this_machine() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2090, 1, 1));
    params
}

/// As old authorities signed. Our libraries cannot, on purpose.
fn by_sha1(scratch: &Scratch, authority: &Authority, key: &KeyPair) -> String {
    let file = |name: &str, text: &str| {
        let path = scratch.path(name);
        fs::write(&path, text).unwrap();
        path
    };
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-new", "-sha1", "-days", "30", "-subj", "/CN=old", "-addext"]);
    openssl.args(["subjectAltName=IP:127.0.0.1", "-CA"]).arg(file("ca.pem", &authority.pem));
    openssl.arg("-CAkey").arg(file("ca.key", &authority.key)).arg("-key").arg(file("old.key", &key.serialize_pem()));
    let output = processes::output(&mut openssl, SOON);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// `godwit cp` of one file by somebody whose system knows `roots` and who was given no fingerprint.
fn copy(scratch: &Scratch, server: &Server, roots: &Path, target: &Path) -> Output {
    let mut command = scratch.command("godwit");
    command.env("GODWIT_PASSWORD", server.password()).env("SSL_CERT_FILE", roots);
    let source = format!("{}@127.0.0.1:/f", server.user());
    command.args(["cp", "--data-port", &server.data.port().to_string(), &source]).arg(target);
    processes::output(&mut command, LONG)
}

#[test]
fn t27_only_what_an_authority_vouches_for_now_and_under_this_name_is_accepted() {
    let scratch = Scratch::new();
    let (authority, stranger) = (Authority::new("authority"), Authority::new("stranger"));
    let roots = scratch.path("roots.pem");
    fs::write(&roots, &authority.pem).unwrap();
    let key = KeyPair::generate().unwrap();
    let (chain, key_file) = (scratch.path("chain.pem"), scratch.path("key.pem"));
    fs::write(&key_file, key.serialize_pem()).unwrap();
    let good = authority.issue(&key, |_| {});
    fs::write(&chain, &good).unwrap();
    let config = format!("certificate = '{}'\nkey = '{}'\n", chain.display(), key_file.display());
    let server = Server::start(&scratch, ServerOptions { config, ..ServerOptions::default() });
    tree::file(&server.docroot().join("f"), 10_000, 1);
    let target = scratch.folder("target");

    let between = Authority::new("between");
    for (what, pem) in [
        ("expired", authority.issue(&key, |params| params.not_after = date_time_ymd(2021, 1, 1))),
        ("not valid yet", authority.issue(&key, |params| params.not_before = date_time_ymd(2089, 1, 1))),
        (
            "of another host",
            authority.issue(&key, |params| params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 2].into())]),
        ),
        (
            "of another name",
            authority.issue(&key, |params| {
                params.subject_alt_names = vec![SanType::DnsName("127.0.0.1.example".try_into().unwrap())];
            }),
        ),
        ("of an authority that nobody knows", stranger.issue(&key, |_| {})),
        ("signed by itself", for_this_machine().self_signed(&key).unwrap().pem()),
        // Without the certificate in between, and with one that the authority never signed.
        ("a chain with a gap", between.issue(&key, |_| {})),
        ("a chain of strangers", between.issue(&key, |_| {}) + &between.pem + &authority.pem),
        ("signed by SHA-1", by_sha1(&scratch, &authority, &key)),
        ("a chain without end", good.clone() + &between.pem.repeat(HUGE)),
    ] {
        let before = server.log().len();
        fs::write(&chain, &pem).unwrap();
        processes::signal(server.pid(), Signal::HUP);
        until_true("the configuration is read again", SOON, || {
            String::from_utf8_lossy(&server.log()[before..]).contains("configuration read again")
        });
        let refused = copy(&scratch, &server, &roots, &target);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && !target.join("f").exists(), "{what}: {said}");
        // The chain without end breaks off before there is anything to show.
        let shown = what == "a chain without end" || (refused.status.code() == Some(51) && said.contains("SHA256:"));
        assert!(shown, "{what}: {} {said}", refused.status);
    }

    // The way back shows that it was the certificates.
    let before = server.log().len();
    fs::write(&chain, &good).unwrap();
    processes::signal(server.pid(), Signal::HUP);
    until_true("the configuration is read again", SOON, || {
        String::from_utf8_lossy(&server.log()[before..]).contains("configuration read again")
    });
    let taken = copy(&scratch, &server, &roots, &target);
    assert!(taken.status.success(), "{}", String::from_utf8_lossy(&taken.stderr));
    tree::assert_same_file(&server.docroot().join("f"), &target.join("f"));
}
