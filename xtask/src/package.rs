//! `cargo xtask package`: what people download, from `dist/` into `dist/packages/`.
//!
//! - `godwit-VERSION-linux-ARCH.tar.gz`: the release that `godwit-setup` installs;
//! - `godwit-VERSION-linux-ARCH.sh`: the same in one file that checks and installs itself;
//! - `godwit-server-VERSION-linux-ARCH.tar.gz`: the server;
//! - `godwit_VERSION_ARCH.deb`, `godwit-server_VERSION_ARCH.deb`: both for Debian and its relatives;
//! - `godwit-VERSION.cdx.json`, `godwit-server-VERSION.cdx.json`: what is in them (SBOM, CycloneDX);
//! - `godwit-VERSION.crx`, `godwit-VERSION.xpi`, `updates.xml`, `updates.json` and `policies/`: for administrators of closed
//!   environments;
//! - `SHA256SUMS` of all of them.
//!
//! The same commit gives the same packages, bit for bit, in whatever folder: names in order, one time for all files (of the last
//! commit, or `SOURCE_DATE_EPOCH`), no owners, no folders of the builder's. `cargo xtask soak reproducible` compiles twice and compares.

use crate::crx::{self, Key};
use crate::place::{self, Browser};
use crate::{Outcome, deb, files, reproducible, run, sbom};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// The programs of a release; the server has its own package.
const CLIENT: [&str; 5] = ["godwit", "godwit-host", "godwit-agent", "godwit-worker", "godwit-setup"];
const SERVER: [&str; 1] = ["godwit-server"];
const PAPERS: [&str; 3] = ["LICENSE-APACHE", "LICENSE-MIT", "CHANGELOG.md"];
const HEAD: &str = include_str!("../../installer/files/self-extracting.sh");

#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Package what is in dist/, without building it anew
    #[arg(long)]
    no_build: bool,
    /// Where an administrator will put the extension and its update manifests; stands in them and in the policies
    #[arg(long, value_name = "URL", default_value = "https://godwit.example/godwit")]
    base: String,
    /// Only these parts
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Part::ALL)]
    only: Vec<Part>,
    /// Larger packages, made sooner: for tests
    #[arg(long)]
    quick: bool,
    /// Where to [default: dist/packages]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Under this version instead of the workspace's
    #[arg(long, value_name = "VERSION", default_value = env!("CARGO_PKG_VERSION"))]
    as_version: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// The release and the server, as archives and as one file that installs itself
    Archives,
    /// The same for Debian
    Debian,
    /// What is in them
    Sbom,
    /// The extension, its update manifests and policies
    Extension,
}

impl Part {
    const ALL: [Self; 4] = [Self::Archives, Self::Debian, Self::Sbom, Self::Extension];
}

pub(crate) fn run(options: &Options) -> Outcome {
    if !options.no_build {
        build_release()?;
    }
    let packages = options.out.clone().unwrap_or_else(|| place::dist().join("packages"));
    files::remove_folder(&packages)?;
    files::make_folder(&packages)?;
    let packages = packages.canonicalize()?;
    let stage = place::target().join(format!("package-{}", std::process::id()));
    files::remove_folder(&stage)?;
    let (key, version) = (Key::open()?, options.as_version.as_str());
    for part in &options.only {
        match part {
            Part::Archives => programs(&key, version, options.quick, &stage, &packages)?,
            Part::Debian => {
                let (id, epoch) = (key.id(), epoch()?);
                let release = deb::Release { version, id: &id, epoch: &epoch, quick: options.quick };
                deb::make(&release, &stage, &packages)?.iter().try_for_each(|package| say(package))?;
            }
            Part::Sbom => {
                let file = |name: &str| packages.join(format!("{name}-{version}.cdx.json"));
                sbom::write("godwit", version, &epoch()?, sbom::CLIENT, true, &file("godwit"))?;
                let server = "godwit-server";
                sbom::write(server, version, &epoch()?, sbom::SERVER, false, &file(server))?;
            }
            Part::Extension => extensions(&key, options.base.trim_end_matches('/'), version, &stage, &packages)?,
        }
    }
    files::remove_folder(&stage)?;
    sums(&packages)
}

/// By a process of its own, whose compilers are told to leave out in which folders this builder keeps things.
fn build_release() -> Outcome {
    let mut folders = vec![(place::root(), "/godwit"), (reproducible::cargo_home()?, "/cargo")];
    if !place::target().starts_with(place::root()) {
        folders.push((place::target(), "/godwit/target"));
    }
    let mut build = run::command(&std::env::current_exe()?.display().to_string());
    build.args(["build", "--release"]);
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    let mut rust: Vec<String> = flags.split_whitespace().map(str::to_owned).collect();
    let mut c = std::env::var("CFLAGS").unwrap_or_default();
    for (folder, instead) in &folders {
        rust.push(format!("--remap-path-prefix={}={instead}", folder.display()));
        c = format!("{c} -ffile-prefix-map={}={instead}", folder.display());
    }
    // Paths may have spaces; those in CFLAGS may not.
    build.env("CARGO_ENCODED_RUSTFLAGS", rust.join("\u{1f}"));
    if folders.iter().all(|(folder, _)| !folder.display().to_string().contains(char::is_whitespace)) {
        build.env("CFLAGS", c.trim());
    }
    run::check(&mut build)
}

/// The release, the installer in one file, and the server.
fn programs(key: &Key, version: &str, quick: bool, stage: &Path, packages: &Path) -> Outcome {
    let system = format!("linux-{}", std::env::consts::ARCH);
    let client = stage.join(format!("godwit-{version}"));
    gather(&client, version, &CLIENT, "client")?;
    for browser in Browser::ALL {
        let name = format!("extension-{}", browser.name());
        files::copy_tree(&place::dist_extension(browser), &client.join(name), &|_| true)?;
    }
    let fixed = files::read(&place::root().join("manifests/extension-id.txt"))?;
    files::write(&client.join("EXTENSION-IDS"), format!("{}\n{}\n", fixed.trim(), key.id()).as_bytes())?;
    let archive = packages.join(format!("godwit-{version}-{system}.tar.gz"));
    pack(&client, quick, &archive)?;
    self_extracting(&archive, version)?;

    let server = stage.join(format!("godwit-server-{version}"));
    gather(&server, version, &SERVER, "server")?;
    files::copy(&place::root().join("docs/server.md"), &server.join("docs/server.md"))?;
    pack(&server, quick, &packages.join(format!("godwit-server-{version}-{system}.tar.gz")))
}

/// The extension as browsers install it from a server, and what tells them to.
fn extensions(key: &Key, base: &str, version: &str, stage: &Path, packages: &Path) -> Outcome {
    for browser in Browser::ALL {
        let folder = stage.join(format!("packed-{}", browser.name()));
        files::copy_tree(&place::dist_extension(browser), &folder, &|_| true)?;
        let path = folder.join("manifest.json");
        let mut manifest: Value = serde_json::from_str(&files::read(&path)?)?;
        manifest["version"] = version.into();
        match browser {
            Browser::Chromium => {
                manifest["key"] = key.base64()?.into();
                manifest["update_url"] = format!("{base}/updates.xml").into();
            }
            Browser::Firefox => {
                manifest["browser_specific_settings"]["gecko"]["update_url"] = format!("{base}/updates.json").into();
            }
        }
        files::write(&path, format!("{manifest:#}\n").as_bytes())?;
        let zip = match browser {
            Browser::Chromium => stage.join("extension.zip"),
            Browser::Firefox => packages.join(format!("godwit-{version}.xpi")),
        };
        crx::zip(&folder, &zip, &epoch()?)?;
        if browser == Browser::Chromium {
            let crx = packages.join(format!("godwit-{version}.crx"));
            key.pack(&zip, &crx)?;
            say(&crx)?;
        } else {
            say(&zip)?;
        }
    }
    let filled = |name: &str| -> Outcome<String> {
        let text = files::read(&place::root().join("manifests/policies").join(name))?;
        Ok(text.replace("@EXTENSION_ID@", &key.id()).replace("@BASE@", base).replace("@VERSION@", version))
    };
    files::write(&packages.join("updates.xml"), filled("updates.xml")?.as_bytes())?;
    let sum = sha256(&packages.join(format!("godwit-{version}.xpi")))?;
    files::write(&packages.join("updates.json"), filled("updates.json")?.replace("@SHA256@", &sum).as_bytes())?;
    for name in ["chrome", "chromium", "edge"] {
        files::write(&packages.join(format!("policies/{name}/godwit.json")), filled("chromium.json")?.as_bytes())?;
    }
    files::write(&packages.join("policies/firefox/policies.json"), filled("firefox.json")?.as_bytes())
}

fn gather(folder: &Path, version: &str, programs: &[&str], share: &str) -> Outcome {
    for program in programs {
        let built = place::dist_bin().join(program);
        if !built.is_file() {
            return Err(format!("{} is missing: build first", built.display()).into());
        }
        files::install(&built, &folder.join("bin"))?;
    }
    for paper in PAPERS {
        files::copy(&place::root().join(paper), &folder.join(paper))?;
    }
    files::copy_tree(&place::dist_share().join(share), &folder.join("share"), &|_| true)?;
    files::write(&folder.join("VERSION"), format!("{version}\n").as_bytes())
}

/// Of the last commit, unless `SOURCE_DATE_EPOCH` says otherwise.
fn epoch() -> Outcome<String> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(epoch) => Ok(epoch),
        Err(_) => Ok(run::capture(run::command("git").args(["log", "-1", "--format=%ct"]))?.trim().to_owned()),
    }
}

fn pack(folder: &Path, quick: bool, archive: &Path) -> Outcome {
    if quick {
        // What is for debuggers only is most of a debug build.
        let mut strip = run::command("sh");
        run::check(strip.args(["-euc", "strip \"$1\"/bin/*", "strip"]).arg(folder))?;
    }
    let gzip = if quick { "gzip -1 -n" } else { "gzip -9 -n" };
    let (above, name) = (folder.parent().unwrap_or(folder), folder.file_name().unwrap_or_default());
    let mut tar = run::command("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--format=gnu", "--mode=u+rw,go=rX"]);
    tar.arg(format!("--mtime=@{}", epoch()?)).args([&*format!("--use-compress-program={gzip}"), "-cf"]).arg(archive);
    run::check(tar.arg("-C").arg(above).arg(name))?;
    say(archive)
}

/// The archive behind a script that checks it and starts `godwit-setup` from it.
fn self_extracting(archive: &Path, version: &str) -> Outcome {
    let sum = sha256(archive)?;
    let lines = (HEAD.lines().count() + 1).to_string();
    let head = HEAD.replace("@VERSION@", version).replace("@SHA256@", &sum).replace("@FIRST_LINE@", &lines);
    let name = archive.file_name().unwrap_or_default().to_string_lossy().replace(".tar.gz", ".sh");
    let script = archive.with_file_name(name);
    let mut whole = head.into_bytes();
    whole.extend(fs::read(archive)?);
    files::write(&script, &whole)?;
    run::check(run::command("chmod").arg("755").arg(&script))?;
    say(&script)
}

fn sha256(path: &Path) -> Outcome<String> {
    let text = run::capture(run::command("sha256sum").arg(path))?;
    text.split_whitespace().next().map(str::to_owned).ok_or_else(|| "sha256sum said nothing".into())
}

fn sums(folder: &Path) -> Outcome {
    let mut all: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    all.retain(|path| path.is_file());
    all.sort();
    let mut text = String::new();
    for path in all {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        text.push_str(&format!("{}  {name}\n", sha256(&path)?));
    }
    files::write(&folder.join("SHA256SUMS"), text.as_bytes())
}

fn say(path: &Path) -> Outcome {
    let megabytes = fs::metadata(path)?.len() as f64 / 1e6;
    println!("{} ({megabytes:.1} MB)", path.display());
    Ok(())
}
