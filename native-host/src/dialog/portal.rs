//! The desktop portal, `org.freedesktop.portal.FileChooser` (its documentation is the source of all names here).

use super::{DialogRequest, Outcome, Wanted, patterns};
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::time::Duration;
use zbus::export::futures_core::Stream;
use zbus::fdo::DBusProxy;
use zbus::proxy::SignalStream;
use zbus::zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Value};
use zbus::{Connection, Proxy};

const SERVICE: &str = "org.freedesktop.portal.Desktop";
const DESKTOP: &str = "/org/freedesktop/portal/desktop";
const CHOOSER: &str = "org.freedesktop.portal.FileChooser";
const REQUEST: &str = "org.freedesktop.portal.Request";
/// A portal that is there answers at once; one that has to be started first, after some seconds.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// Since this version of the interface folders can be chosen.
const FOLDERS_SINCE: u32 = 3;
/// Names our request on the bus; there is one in the life of this process.
const TOKEN: &str = "godwit";

/// Asks. Dropping the future and the process's end close the dialog: the portal sees its caller go.
pub(super) async fn ask(request: &DialogRequest) -> Outcome {
    match attempt(request).await {
        Ok(outcome) => outcome,
        Err(reason) => Outcome::unavailable(format!("portal: {reason}")),
    }
}

async fn attempt(request: &DialogRequest) -> Result<Outcome, String> {
    let bus = soon("the session bus", Connection::session()).await?;
    let chooser = soon("the portal", Proxy::new(&bus, SERVICE, DESKTOP, CHOOSER)).await?;
    let version: u32 = soon("the portal", chooser.get_property("version")).await?;
    if request.wanted == Wanted::Folders && version < FOLDERS_SINCE {
        return Err(format!("version {version} cannot choose folders"));
    }
    // Listened to before it is asked: the answer could come before the asking returns.
    let sender = bus.unique_name().map(|name| name.trim_start_matches(':').replace('.', "_")).unwrap_or_default();
    let expected = format!("{DESKTOP}/request/{sender}/{TOKEN}");
    let waiting = soon("the portal", Proxy::new(&bus, SERVICE, expected.as_str(), REQUEST)).await?;
    let mut answers = soon("the session bus", waiting.receive_signal("Response")).await?;
    let names = soon("the session bus", DBusProxy::new(&bus)).await?;
    let mut owners = soon("the session bus", names.receive_name_owner_changed_with_args(&[(0, SERVICE)])).await?;

    let method = if request.wanted == Wanted::Save { "SaveFile" } else { "OpenFile" };
    let arguments = ("", request.title.as_str(), options(request));
    let handle: OwnedObjectPath = soon("the portal", chooser.call(method, &arguments)).await?;
    if handle.as_str() != expected {
        return listen_elsewhere(&bus, &handle).await;
    }
    tokio::select! {
        answer = next(&mut answers) => read_answer(answer.as_ref()),
        // Even if another takes its place: the dialog has gone with the one that showed it.
        _ = poll_fn(|cx| Pin::new(&mut owners).poll_next(cx)) => Err("it ended while its dialog was open".into()),
    }
}

/// Portals older than version 0.9 choose the name of the request themselves.
async fn listen_elsewhere(bus: &Connection, handle: &ObjectPath<'_>) -> Result<Outcome, String> {
    let waiting = soon("the portal", Proxy::new(bus, SERVICE, handle.as_str().to_owned(), REQUEST)).await?;
    let mut answers = soon("the session bus", waiting.receive_signal("Response")).await?;
    read_answer(next(&mut answers).await.as_ref())
}

async fn next(signals: &mut SignalStream<'_>) -> Option<zbus::Message> {
    poll_fn(|cx| Pin::new(&mut *signals).poll_next(cx)).await
}

async fn soon<T, E: std::fmt::Display>(who: &str, asked: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    match tokio::time::timeout(ANSWERS_WITHIN, asked).await {
        Ok(answer) => answer.map_err(text),
        Err(_) => Err(format!("{who} does not answer")),
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn options(request: &DialogRequest) -> HashMap<&'static str, Value<'static>> {
    let mut all: HashMap<&'static str, Value<'static>> = HashMap::new();
    all.insert("handle_token", TOKEN.into());
    all.insert("modal", false.into());
    match request.wanted {
        Wanted::Files => drop(all.insert("multiple", request.multiple.into())),
        Wanted::Folders => {
            all.insert("multiple", request.multiple.into());
            all.insert("directory", true.into());
        }
        Wanted::Save if request.name.is_empty() => {}
        Wanted::Save => drop(all.insert("current_name", request.name.clone().into())),
    }
    if let Some(folder) = &request.folder {
        let mut bytes = folder.clone().into_bytes();
        bytes.push(0);
        all.insert("current_folder", Value::from(bytes));
    }
    let filters = patterns(&request.filters);
    if !filters.is_empty() && request.wanted != Wanted::Folders {
        // Kind 0 is a pattern, 1 would be a MIME type.
        let filter = |(name, globs): (String, Vec<String>)| {
            (name, globs.into_iter().map(|glob| (0_u32, glob)).collect::<Vec<_>>())
        };
        all.insert("filters", Value::from(filters.into_iter().map(filter).collect::<Vec<_>>()));
    }
    all
}

fn read_answer(signal: Option<&zbus::Message>) -> Result<Outcome, String> {
    let signal = signal.ok_or("the session bus has gone")?;
    let (code, mut results): (u32, HashMap<String, OwnedValue>) = signal.body().deserialize().map_err(text)?;
    let uris = results.remove("uris").map(Vec::<String>::try_from).transpose().map_err(text)?;
    Ok(outcome(code, uris.unwrap_or_default()))
}

/// What an answer means: 0 is a choice, 1 the user's no, 2 a dialog that ended in another way. That is what the GTK portal says of
/// a window closed by Escape or its frame, so nobody is asked again; anything else is a portal that could not ask.
fn outcome(code: u32, uris: Vec<String>) -> Outcome {
    match code {
        0 if uris.is_empty() => Outcome::unavailable("the portal answered with nothing"),
        0 => {
            let path = |uri: String| {
                let path = url::Url::parse(&uri).ok().filter(|u| u.scheme() == "file")?.to_file_path().ok()?;
                path.to_str().map(str::to_owned)
            };
            match uris.into_iter().map(path).collect::<Option<Vec<String>>>() {
                Some(paths) => Outcome::Chosen { paths },
                None => Outcome::unavailable("the portal answered with something that is no file of this machine"),
            }
        }
        1 | 2 => Outcome::Cancelled,
        code => Outcome::unavailable(format!("the portal could not ask (answer {code})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_portal_answers_becomes_one_of_the_outcomes() {
        let uris = |list: &[&str]| list.iter().map(|u| (*u).to_owned()).collect::<Vec<_>>();
        let chosen = outcome(0, uris(&["file:///home/me/a%20b.txt", "file:///%C3%A9"]));
        assert_eq!(chosen, Outcome::Chosen { paths: uris(&["/home/me/a b.txt", "/\u{e9}"]) });
        assert_eq!(outcome(1, vec![]), Outcome::Cancelled);
        assert_eq!(outcome(2, vec![]), Outcome::Cancelled, "closed by its frame");
        for (code, list) in [
            (3, uris(&["file:///a"])),
            (7, vec![]),
            (0, vec![]),
            (0, uris(&["https://app.example/a"])),
            (0, uris(&["/a"])),
            (0, uris(&["file:///a", "sftp://server/b"])),
            (0, uris(&["file:///%FF"])),
        ] {
            assert!(matches!(outcome(code, list.clone()), Outcome::Unavailable { .. }), "{code} {list:?}");
        }
    }
}
