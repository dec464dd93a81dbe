//! What the kernel refuses reaches the user as the number of the predecessor's table, with words; nothing half gets a name.

#![allow(clippy::unwrap_used)]

use godwit_tests::wait::LONG;
use godwit_tests::{Scratch, Server, ServerOptions, processes, tree};
use std::path::Path;
use std::process::Command;

/// A system call that fails, with which error, on which file (none: wherever it is called), and the number it becomes.
const DOWN: [(&str, &str, &str, i32); 9] = [
    ("film.bin", "pwrite64", "EIO", 36),
    ("film.bin", "pwrite64", "EFBIG", 24),
    ("film.bin", "pwrite64", "ENOSPC", 25),
    ("film.bin", "fsync", "EIO", 36),
    ("film.bin", "renameat2", "EIO", 64),
    ("film.bin", "renameat2", "EACCES", 5),
    ("note.txt", "linkat", "ENAMETOOLONG", 55),
    ("note.txt", "linkat", "EILSEQ", 56),
    ("note.txt", "linkat", "EMFILE", 23),
];

/// `godwit cp` under a tracer that makes one system call fail each time.
fn failing(
    scratch: &Scratch,
    server: &Server,
    call: &str,
    error: &str,
    on: Option<&Path>,
    ends: [&str; 2],
) -> (i32, String) {
    let plain = scratch.command("godwit");
    let mut command = Command::new("strace");
    command.args([
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        &format!("trace={call}"),
        "-e",
        &format!("inject={call}:error={error}"),
    ]);
    if let Some(file) = on {
        command.arg("-P").arg(file);
    }
    command.arg(plain.get_program()).envs(plain.get_envs().filter_map(|(key, value)| Some((key, value?))));
    command.env("GODWIT_PASSWORD", server.password()).args(["cp", "--data-port", &server.data.port().to_string()]);
    command.args(["--fingerprint", &server.fingerprint]).args(ends);
    let out = processes::output(&mut command, LONG);
    (out.status.code().unwrap_or(-1), String::from_utf8_lossy(&out.stderr).into_owned())
}

#[test]
fn each_refusal_of_the_kernel_has_its_number_and_leaves_no_half_file_under_a_final_name() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    for (name, size) in [("film.bin", 3_000_000), ("note.txt", 100)] {
        tree::file(&server.docroot().join(name), size, 1);
    }
    for (name, call, error, number) in DOWN {
        let target = scratch.folder(&format!("{name}-{call}-{error}"));
        let partial = target.join(format!("{name}.partial"));
        let on = ["pwrite64", "fsync"].contains(&call).then_some(partial.as_path());
        let source = format!("{}@127.0.0.1:/{name}", server.user());
        let (code, said) = failing(&scratch, &server, call, error, on, [&source, &format!("{}/", target.display())]);
        assert_eq!(code, number, "{call} {error} on {name}: {said}");
        assert!(said.contains(name), "the file is named: {said}");
        assert!(!target.join(name).exists(), "{call} {error}: nothing has the final name");
    }

    let source = scratch.path("source/film.bin");
    tree::file(&source, 3_000_000, 2);
    let target = format!("{}@127.0.0.1:/in/", server.user());
    let (code, said) = failing(&scratch, &server, "pread64", "EIO", Some(&source), [source.to_str().unwrap(), &target]);
    assert_eq!(code, 35, "a source that cannot be read: {said}");
    assert!(!server.docroot().join("in/film.bin").exists());
}
