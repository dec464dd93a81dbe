//! Tells when somebody edits the settings file. Costs nothing while nobody does: a thread of its own sleeps in the kernel.

use crate::core::Input;
use rustix::fs::inotify;
use std::ffi::{OsStr, OsString};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use tokio::sync::mpsc;

/// Watches the folder, because editors put a new file in the old one's place. Without it, edits hold from the next start on.
pub(super) fn start(file: &Path, inputs: mpsc::Sender<Input>) {
    let name = file.file_name().map(OsStr::to_os_string).unwrap_or_default();
    let started = watch(file).and_then(|watched| {
        std::thread::Builder::new().name("settings".into()).spawn(move || tell(&watched, &name, &inputs)).map(drop)
    });
    if let Err(error) = started {
        tracing::warn!(%error, "the settings file is not watched");
    }
}

fn watch(file: &Path) -> std::io::Result<OwnedFd> {
    let folder = file.parent().ok_or_else(|| std::io::Error::other("no folder"))?;
    std::fs::create_dir_all(folder)?;
    let fd = inotify::init(inotify::CreateFlags::CLOEXEC)?;
    let wanted = inotify::WatchFlags::CLOSE_WRITE | inotify::WatchFlags::MOVED_TO | inotify::WatchFlags::DELETE;
    inotify::add_watch(&fd, folder, wanted)?;
    Ok(fd)
}

fn tell(watched: &OwnedFd, name: &OsString, inputs: &mpsc::Sender<Input>) {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut reader = inotify::Reader::new(watched, &mut buffer);
    loop {
        let touched = match reader.next() {
            Ok(event) => event.file_name().is_none_or(|n| n.to_bytes() == name.as_encoded_bytes()),
            Err(rustix::io::Errno::INTR) => false,
            Err(error) => return tracing::warn!(%error, "the settings file is no longer watched"),
        };
        // The main loop may have ended.
        if touched && inputs.blocking_send(Input::SettingsTouched).is_err() {
            return;
        }
    }
}
