#![allow(clippy::unwrap_used)]

use super::*;
use crate::account::user_path;
use crate::args::ServeArgs;
use crate::catalogue::Sqlite;
use crate::config::{ConfigFile, Settings};
use crate::state::StateDir;
use crate::token::TokenKey;
use godwit_protocol::RateKbps;
use godwit_protocol::spec::Direction;
use godwit_protocol::wire::{RemotePath, SessionRequest};
use godwit_transport::server::Permission;
use std::fs;
use std::path::Path;
use std::time::Duration;

struct Fixture {
    dir: tempfile::TempDir,
    access: Access,
}

fn fixture(users: &str) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let docroot = dir.path().join("files");
    fs::create_dir_all(docroot.join("in/deep")).unwrap();
    fs::write(docroot.join("in/file"), "x").unwrap();
    fs::create_dir(dir.path().join("outside")).unwrap();
    fs::write(dir.path().join("outside/secret"), "x").unwrap();
    std::os::unix::fs::symlink("../outside", docroot.join("link")).unwrap();
    std::os::unix::fs::symlink("../outside/secret", docroot.join("filelink")).unwrap();
    let file: ConfigFile = toml::from_str(users).unwrap();
    let args = ServeArgs {
        docroot: Some(docroot),
        state: Some(dir.path().join("state")),
        users: vec![Secret::new("ann:right")],
        ..ServeArgs::default()
    };
    let settings = Settings::new(file, &args).unwrap();
    let state = StateDir::open(&settings.state).unwrap();
    let key = TokenKey::load_or_make(&state).unwrap();
    let directory = Directory::new(Arc::new(settings), Arc::new(Sqlite::open(&state).unwrap())).unwrap();
    let access = Access::new(directory, key).unwrap();
    Fixture { dir, access }
}

fn password(text: &str) -> Credential {
    Credential::Password { password: Secret::new(text) }
}

impl Fixture {
    async fn login(&self, user: &str, credential: Credential) -> Result<Arc<dyn Account>, Failure> {
        self.access.authenticate("192.0.2.1:5".parse().unwrap(), user, &credential).await
    }

    fn token(&self, direction: Direction, paths: &[&str], ttl: u64) -> Credential {
        Credential::Token { token: self.issue("ann", direction, paths, unix_now(), ttl) }
    }

    fn issue(&self, user: &str, direction: Direction, paths: &[&str], now: u64, ttl: u64) -> Secret {
        let paths: Vec<_> = paths.iter().map(|p| user_path(p).unwrap()).collect();
        let grant = Grant::new(user, direction, &paths, now, ttl).unwrap();
        self.access.tokens().sign(&grant).unwrap()
    }
}

fn upload(to: &str) -> SessionRequest {
    serde_json::from_value(serde_json::json!({
        "transfer_id": "t", "direction": "send", "destination_root": to
    }))
    .unwrap()
}

fn download(from: &[&str]) -> SessionRequest {
    let mut request = upload("");
    request.direction = Direction::Receive;
    request.paths = from.iter().map(|p| RemotePath { source: (*p).to_owned(), destination: None }).collect();
    request
}

async fn code(account: &Arc<dyn Account>, request: SessionRequest) -> (u16, String) {
    match account.authorize(request).await {
        Ok(_) => (0, String::new()),
        Err(failure) => (failure.code.number(), failure.message),
    }
}

#[tokio::test]
async fn t23_a_wrong_password_and_an_unknown_user_get_the_same_answer_after_the_same_work() {
    let fixture = fixture("");
    let mut answers = Vec::new();
    let mut times = Vec::new();
    for user in ["ann", "nobody", "ann", "nobody"] {
        // A fresh memory, so that no wait distorts the times.
        *fixture.access.backoff() = Backoff::default();
        let begin = Instant::now();
        answers.push(fixture.login(user, password("wrong")).await.err().unwrap());
        times.push(begin.elapsed());
    }
    assert!(answers.iter().all(|a| a == answers.first().unwrap()));
    assert_eq!(answers.first().unwrap().code, ErrorCode::Authentication);
    let known = times[0].min(times[2]);
    let unknown = times[1].min(times[3]);
    assert!(unknown * 3 > known, "an unknown user is answered in {unknown:?}, a known one in {known:?}");
    assert!(fixture.login("ann", password("right")).await.is_ok());
    assert!(fixture.login("ann", password(&"x".repeat(100_000))).await.is_err());
}

#[tokio::test]
async fn a_user_without_a_password_comes_in_with_tokens_only() {
    let fixture = fixture("[users.bob]");
    for guess in ["", "bob", "nobody"] {
        assert!(fixture.login("bob", password(guess)).await.is_err());
    }
}

#[tokio::test]
async fn t23_logins_wait_longer_after_each_failure() {
    let fixture = fixture("");
    let address = "192.0.2.1".parse().unwrap();
    for _ in 0..5 {
        fixture.access.backoff().failed(address, "ann", Instant::now());
    }
    let begin = Instant::now();
    assert!(fixture.login("ann", password("right")).await.is_ok());
    assert!(begin.elapsed() >= Duration::from_millis(500), "{:?}", begin.elapsed());
    assert!(fixture.access.backoff().wait(address, "bob", Instant::now()).is_zero(), "a success clears the address");
}

#[tokio::test]
async fn t23_an_address_that_guesses_on_is_refused_unseen_and_others_are_not() {
    let fixture = fixture("");
    assert!(fixture.login("ann", password("right")).await.is_ok());
    for n in 0..200 {
        fixture.access.backoff().failed("192.0.2.1".parse().unwrap(), &format!("u{n}"), Instant::now());
    }
    let refused = fixture.login("ann", password("right")).await.err().unwrap();
    assert_eq!(refused.code, ErrorCode::ControlFailed);
    assert!(refused.message.contains("too many failed logins"), "{refused}");
    let elsewhere = "192.0.2.2:5".parse().unwrap();
    assert!(fixture.access.authenticate(elsewhere, "ann", &password("right")).await.is_ok());
}

#[tokio::test]
async fn a_right_password_is_hashed_once_and_forgotten_when_it_changes() {
    let fixture = fixture("");
    assert!(fixture.login("ann", password("right")).await.is_ok());
    for _ in 0..9 {
        fixture.access.backoff().failed("198.51.100.1".parse().unwrap(), "ann", Instant::now());
    }
    // Somebody else guesses at this name: who is known does not wait for that.
    let known = fixture.access.known_password("ann", &Secret::new("right")).await.unwrap();
    assert_eq!(known.unwrap().principal.name, "ann");
    assert!(fixture.access.known_password("ann", &Secret::new("wrong")).await.unwrap().is_none());
}

#[tokio::test]
async fn t07_a_revoked_token_is_worth_nothing() {
    let fixture = fixture("");
    let grant = Grant::new("ann", Direction::Send, &[user_path("in").unwrap()], unix_now(), 60).unwrap();
    let token = fixture.access.tokens().sign(&grant).unwrap();
    let credential = Credential::Token { token };
    for user in ["", "ann", "xfer"] {
        assert!(fixture.login(user, credential.clone()).await.is_ok(), "{user}");
    }
    fixture.access.directory().catalogue().revoke(&grant.id, grant.expires).unwrap();
    let refused = fixture.login("", credential).await.err().unwrap();
    assert!(refused.code == ErrorCode::Authentication && refused.message.contains("revoked"), "{refused}");
}

#[tokio::test]
async fn t09_a_path_that_leads_out_of_the_docroot_is_refused_and_named() {
    let fixture = fixture("");
    let ann = fixture.login("ann", password("right")).await.unwrap();
    for bad in ["..", "../x", "in/../../x", "a\0b", "a\\..\\b", "in/./x", "in//x", "C:\\x", "link", "link/x"] {
        for request in [upload(bad), download(&["in/file", bad])] {
            let (code, message) = code(&ann, request).await;
            assert_eq!(code, 41, "{bad:?}: {message}");
            assert!(message.contains(&bad.escape_debug().to_string()), "{bad:?}: {message}");
        }
    }
    assert_eq!(code(&ann, download(&["filelink"])).await.0, 41);
    let long = "x".repeat(300);
    assert_eq!(code(&ann, upload(&long)).await.0, 41);
    let mut suffix = upload("/");
    suffix.partial_suffix = Some(".x/../../y".into());
    assert_eq!(code(&ann, suffix).await.0, 41);
    assert_eq!(fs::read_dir(fixture.dir.path().join("outside")).unwrap().count(), 1);
}

#[tokio::test]
async fn paths_are_read_from_the_users_root_and_cleaned() {
    let fixture = fixture("");
    let ann = fixture.login("ann", password("right")).await.unwrap();
    for (text, expected) in [("/", ""), ("", ""), ("/in", "in"), ("in/deep/", "in/deep"), ("//in", "in")] {
        let permission = ann.authorize(upload(text)).await.ok().unwrap();
        assert_eq!(permission.request.destination_root, expected);
    }
    let permission = ann.authorize(download(&["/in/file", "/"])).await.ok().unwrap();
    let sources: Vec<_> = permission.request.paths.iter().map(|p| p.source.as_str()).collect();
    assert_eq!(sources, ["in/file", ""]);
    assert_eq!(code(&ann, download(&["missing"])).await.0, 0, "missing sources are told one by one later");
    assert_eq!(code(&ann, download(&[])).await.0, 20);
}

#[tokio::test]
async fn a_missing_target_folder_is_named_unless_it_may_be_made() {
    let fixture = fixture("");
    let ann = fixture.login("ann", password("right")).await.unwrap();
    let (number, message) = code(&ann, upload("/not/there")).await;
    assert_eq!(number, 4);
    assert!(message.contains("'/not/there'"), "{message}");
    let mut request = upload("/not/there");
    request.create_dir = true;
    assert_eq!(code(&ann, request).await.0, 0);
    let (number, message) = code(&ann, upload("in/file")).await;
    assert_eq!(number, 6, "{message}");
}

#[tokio::test]
async fn a_user_sees_his_own_docroot_and_has_his_own_rights() {
    let own = tempfile::tempdir().unwrap();
    fs::create_dir(own.path().join("mine")).unwrap();
    let fixture = fixture(&format!(
        "[users.ann]\ndocroot = 'homes/ann'\nwrite = false\n[users.bob]\ndocroot = '{}'\nread = false",
        own.path().display()
    ));
    let ann = fixture.login("ann", password("right")).await.unwrap();
    assert_eq!(code(&ann, upload("/")).await.0, 34);
    let permission = ann.authorize(download(&["/"])).await.ok().unwrap();
    assert!(permission.root.path().ends_with(Path::new("files/homes/ann")));
    let token = fixture.issue("bob", Direction::Send, &[""], unix_now(), 60);
    let bob = fixture.login("bob", Credential::Token { token }).await.unwrap();
    assert_eq!(code(&bob, upload("/mine")).await.0, 0);
    let token = fixture.issue("bob", Direction::Receive, &[""], unix_now(), 60);
    let bob = fixture.login("bob", Credential::Token { token }).await.unwrap();
    assert_eq!(code(&bob, download(&["/mine"])).await.0, 34, "a token gives no right that the user lacks");
}

#[tokio::test]
async fn t07_a_token_opens_its_paths_in_its_direction_and_nothing_else() {
    let fixture = fixture("");
    let token = fixture.token(Direction::Send, &["/in"], 60);
    for user in ["", "ann"] {
        let account = fixture.login(user, token.clone()).await.unwrap();
        assert_eq!(account.name(), "ann");
        assert_eq!(code(&account, upload("/in/deep")).await.0, 0);
    }
    let account = fixture.login("", token.clone()).await.unwrap();
    let (number, message) = code(&account, upload("/")).await;
    assert_eq!(number, 34);
    assert!(message.contains("does not cover '/'"), "{message}");
    let (number, message) = code(&account, download(&["/in/file"])).await;
    assert_eq!(number, 34);
    assert!(message.contains("allows uploads, not downloads"), "{message}");
    assert_eq!(fixture.login("bob", token).await.err().unwrap().code.number(), 19);
    let expired = fixture.issue("ann", Direction::Send, &[""], unix_now() - 120, 60);
    let failure = fixture.login("", Credential::Token { token: expired }).await.err().unwrap();
    assert_eq!(failure.code.number(), 19);
    assert!(failure.message.contains("expired"), "{failure}");
    let nonsense = Credential::Token { token: Secret::new("v4.public.nonsense") };
    assert_eq!(fixture.login("ann", nonsense).await.err().unwrap().code.number(), 19);
}

#[tokio::test]
async fn a_download_with_a_token_needs_every_path_covered() {
    let fixture = fixture("");
    let account = fixture.login("", fixture.token(Direction::Receive, &["in/file", "in/deep"], 60)).await.unwrap();
    assert_eq!(code(&account, download(&["in/file", "in/deep"])).await.0, 0);
    assert_eq!(code(&account, download(&["in/file", "in"])).await.0, 34);
    assert_eq!(code(&account, download(&["in/filelink"])).await.0, 34);
}

#[tokio::test]
async fn rates_stay_under_the_users_cap_and_start_at_his_default() {
    let fixture = fixture("[users.ann]\nrate_cap = '10m'\nrate_default = '5m'");
    let ann = fixture.login("ann", password("right")).await.unwrap();
    let granted = |permission: Permission| permission.rules.apply(permission.request.rate);
    let rate = granted(ann.authorize(upload("/")).await.ok().unwrap());
    assert_eq!((rate.target, rate.cap), (Some(RateKbps(5_000)), Some(RateKbps(10_000))));
    let mut request = upload("/");
    request.rate.target = Some(RateKbps(50_000));
    request.rate.minimum = Some(RateKbps(20_000));
    request.rate.cap = Some(RateKbps(8_000));
    let rate = granted(ann.authorize(request).await.ok().unwrap());
    assert_eq!(
        (rate.target, rate.minimum, rate.cap),
        (Some(RateKbps(8_000)), Some(RateKbps(8_000)), Some(RateKbps(8_000)))
    );
}

#[tokio::test]
async fn clients_that_begin_together_with_one_password_wait_for_one_computation() {
    let fixture = fixture("");
    let access = &fixture.access;
    let mut logins = tokio::task::JoinSet::new();
    for _ in 0..60 {
        let access = access.clone();
        logins.spawn(async move {
            let proof = Proof::Password("ann".into(), Secret::new("right"));
            access.login([192, 0, 2, 1].into(), proof).await.is_ok()
        });
    }
    assert!(logins.join_all().await.into_iter().all(|good| good));
    assert_eq!(access.0.checker.computed(), 1);
    for wrong in ["wrong", "wrong"] {
        assert!(fixture.login("ann", password(wrong)).await.is_err());
    }
    assert_eq!(access.0.checker.computed(), 3, "failures are not remembered");
    fixture.login("ann", password("right")).await.unwrap();
    assert_eq!(access.0.checker.computed(), 3);
}
