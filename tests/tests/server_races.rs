//! A thousand sessions at the same moment against the server's limits.

#![allow(clippy::unwrap_used)]

use godwit_tests::fake::{Answer, Client};
use godwit_tests::wait::LONG;
use godwit_tests::{Scratch, Server, ServerOptions};
use std::time::Duration;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Every one of these tries to begin a session at once, and keeps what it got until all have an answer.
async fn at_once(client: &Client, count: usize) -> Vec<Answer> {
    let mut starts = tokio::task::JoinSet::new();
    for n in 0..count {
        let client = client.clone();
        starts.spawn(async move {
            let Ok(mut peer) = client.knock().await else { return (Answer::Gone("refused".into()), None) };
            let mut steps = client.uploading(&format!("s-{n}"));
            steps.pop();
            for step in steps {
                peer.play(&step).await;
            }
            (peer.wait("accepted", LONG).await, Some(peer))
        });
    }
    let mut kept = Vec::new();
    while let Some(ended) = starts.join_next().await {
        kept.push(ended.unwrap());
    }
    kept.into_iter().map(|(answer, _)| answer).collect()
}

fn accepted(answers: &[Answer]) -> usize {
    answers.iter().filter(|answer| **answer == Answer::Frame("accepted")).count()
}

#[test]
fn t29_of_a_thousand_sessions_at_once_as_many_run_as_the_server_has_places() {
    const PLACES: usize = 24;
    let scratch = Scratch::new();
    // Nobody who came in leaves again before the last one has asked.
    let config = format!(
        "max_sessions = {PLACES}\nmax_sessions_per_address = {PLACES}\nlogin_seconds = 600\nstall_seconds = 600"
    );
    let server = Server::start(&scratch, ServerOptions { config, ..ServerOptions::default() });
    runtime().block_on(async {
        let client = Client::of(&server);
        let answers = at_once(&client, 1_000).await;
        assert_eq!(accepted(&answers), PLACES, "{answers:?}");
        // All places come back.
        let deadline = tokio::time::Instant::now() + LONG;
        while accepted(&at_once(&client, PLACES).await) < PLACES {
            assert!(tokio::time::Instant::now() < deadline, "places are lost");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
}
