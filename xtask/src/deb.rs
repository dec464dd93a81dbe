//! Debian packages: the client for everybody on a machine, and the server.
//!
//! Made by `dpkg-deb` from a folder that is put together here. The same programs give the same packages, bit for bit. Programs
//! lie in `/usr/lib/godwit`, as packages must leave `/opt` and `/usr/local` alone. Host manifests lie there too, and where
//! browsers look are links to them: files in `/etc` would outlive the package.

use crate::place::{self, Browser};
use crate::{Outcome, files, run};
use godwit_installer::browsers::{BROWSERS, Family};
use godwit_installer::manifest;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Programs, extensions and host manifests of the client.
const HOME: &str = "usr/lib/godwit";
const CLIENT: [&str; 4] = ["godwit", "godwit-host", "godwit-agent", "godwit-worker"];
const ICONS: [(&str, &str); 5] = [
    ("godwit.svg", "scalable/apps/godwit.svg"),
    ("godwit-16.png", "16x16/apps/godwit.png"),
    ("godwit-32.png", "32x32/apps/godwit.png"),
    ("godwit-48.png", "48x48/apps/godwit.png"),
    ("godwit-128.png", "128x128/apps/godwit.png"),
];
const FILES: &str = "installer/files/debian";

/// What all packages have in common.
pub(crate) struct Release<'a> {
    pub(crate) version: &'a str,
    /// The id of the extension that was packed with the builder's key.
    pub(crate) id: &'a str,
    /// Seconds since 1970 that stand in all files.
    pub(crate) epoch: &'a str,
    /// Less small, made sooner.
    pub(crate) quick: bool,
}

struct Package<'a> {
    name: &'static str,
    /// One line, and paragraphs that say more.
    about: (&'static str, &'static str),
    more: &'static str,
    /// Its files.
    tree: PathBuf,
    /// Programs, below the tree.
    programs: Vec<PathBuf>,
    release: &'a Release<'a>,
}

/// Both packages, into `packages`; their paths.
pub(crate) fn make(release: &Release<'_>, stage: &Path, packages: &Path) -> Outcome<Vec<PathBuf>> {
    Ok(vec![client(release, stage)?.build(packages)?, server(release, stage)?.build(packages)?])
}

fn client<'a>(release: &'a Release<'a>, stage: &Path) -> Outcome<Package<'a>> {
    let mut package = Package {
        name: "godwit",
        about: (
            "file transfers at line speed from the browser",
            "Godwit moves files between a web application's user and a transfer server,\n over any distance and through loss. \
             This package holds what runs on the\n user's machine: the host that browsers start, the agent, and the command line.\n \
             .\n The browser's extension comes unpacked in /usr/lib/godwit; administrators\n install it by policy.",
        ),
        more: "Recommends: zenity\nSuggests: chromium | firefox-esr | firefox\n",
        tree: stage.join("deb-client"),
        programs: Vec::new(),
        release,
    };
    let tree = package.tree.clone();
    for program in CLIENT {
        package.program(program, &Path::new(HOME).join("bin"))?;
    }
    link("../lib/godwit/bin/godwit", &tree.join("usr/bin/godwit"))?;
    for browser in Browser::ALL {
        let name = format!("extension-{}", browser.name());
        files::copy_tree(&place::dist_extension(browser), &tree.join(HOME).join(name), &|_| true)?;
    }
    files::write(&tree.join(HOME).join("VERSION"), format!("{}\n", release.version).as_bytes())?;
    for (family, name) in [(Family::Chromium, "chromium"), (Family::Firefox, "firefox")] {
        let host = Path::new("/").join(HOME).join("bin/godwit-host");
        let text = manifest::text_for(family, &host, &[release.id.to_owned()]).ok_or("no manifest")?;
        let file = format!("{HOME}/hosts/{name}.json");
        files::write(&tree.join(&file), text.as_bytes())?;
        let folders = BROWSERS.iter().filter(|browser| browser.family == family).flat_map(|browser| browser.system);
        for folder in folders.filter(|folder| !folder.starts_with("/usr/lib64")) {
            // Within /usr a link is relative, from /etc it is absolute.
            let to = if folder.starts_with("/usr/lib/mozilla/") {
                format!("../../godwit/hosts/{name}.json")
            } else {
                format!("/{file}")
            };
            let at = tree.join(folder.trim_start_matches('/')).join(manifest::file_name());
            if fs::symlink_metadata(&at).is_err() {
                link(&to, &at)?;
            }
        }
    }
    // The host also answers to the extension that is packed beside this.
    files::write(&tree.join(HOME).join("EXTENSION-IDS"), format!("{}\n", release.id).as_bytes())?;
    for entry in ["godwit.desktop", "godwit-unlock.desktop"] {
        let text = files::read(&place::root().join("installer/files").join(entry))?.replace("@GODWIT@", "godwit");
        files::write(&tree.join("usr/share/applications").join(entry), text.as_bytes())?;
    }
    files::copy(&place::root().join("installer/files/godwit.xml"), &tree.join("usr/share/mime/packages/godwit.xml"))?;
    for (from, to) in ICONS {
        let icon = place::root().join("extension/icons").join(from);
        files::copy(&icon, &tree.join("usr/share/icons/hicolor").join(to))?;
    }
    for unit in ["godwit-agent.service", "godwit-agent.socket"] {
        let text = files::read(&place::root().join("manifests/systemd").join(unit))?;
        let text = text.replace("@AGENT@", "/usr/lib/godwit/bin/godwit-agent");
        files::write(&tree.join("usr/lib/systemd/user").join(unit), text.as_bytes())?;
    }
    package.papers("client", &["docs/install.md", "docs/use.md"])?;
    Ok(package)
}

fn server<'a>(release: &'a Release<'a>, stage: &Path) -> Outcome<Package<'a>> {
    let mut package = Package {
        name: "godwit-server",
        about: (
            "transfer server for files at line speed",
            "Godwit moves files between a web application's user and a transfer server,\n over any distance and through loss. \
             This package holds the server.\n .\n It is not started by itself: look at /etc/godwit/server.toml, then\n systemctl enable \
             --now godwit-server",
        ),
        more: "",
        tree: stage.join("deb-server"),
        programs: Vec::new(),
        release,
    };
    let tree = package.tree.clone();
    package.program("godwit-server", Path::new("usr/bin"))?;
    let unit = files::read(&place::root().join("server/systemd/godwit-server.service"))?;
    // What it says first is how to do by hand what this package does.
    let unit = unit.split_once("\n\n").map_or(unit.as_str(), |(_, rest)| rest).replace("/usr/local/bin/", "/usr/bin/");
    files::write(&tree.join("usr/lib/systemd/system/godwit-server.service"), unit.as_bytes())?;
    let user = "u godwit - \"Godwit transfer server\" /var/lib/godwit-server /usr/sbin/nologin\n";
    files::write(&tree.join("usr/lib/sysusers.d/godwit-server.conf"), user.as_bytes())?;
    files::copy(&place::root().join("server/example.toml"), &tree.join("etc/godwit/server.toml"))?;
    files::write(&tree.join("DEBIAN/conffiles"), b"/etc/godwit/server.toml\n")?;
    for script in ["postinst", "prerm", "postrm"] {
        let path = tree.join("DEBIAN").join(script);
        files::copy(&place::root().join(FILES).join(format!("server.{script}")), &path)?;
    }
    package.papers("server", &["docs/server.md"])?;
    Ok(package)
}

impl Package<'_> {
    fn program(&mut self, name: &str, folder: &Path) -> Outcome {
        let built = place::dist_bin().join(name);
        if !built.is_file() {
            return Err(format!("{} is missing: build first", built.display()).into());
        }
        let path = self.tree.join(folder).join(name);
        files::copy(&built, &path)?;
        run::check(run::command("strip").args(["--strip-unneeded", "--enable-deterministic-archives"]).arg(&path))?;
        self.programs.push(path);
        Ok(())
    }

    /// Manual pages, completions, documents, and what Debian wants to know.
    fn papers(&self, share: &str, documents: &[&str]) -> Outcome {
        let (from, to) = (place::dist_share().join(share), self.tree.join("usr/share"));
        let pages = from.join("man/man1");
        let entries = fs::read_dir(&pages).map_err(|error| format!("{}: {error}: build first", pages.display()))?;
        for entry in entries {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if !name.starts_with("godwit-setup") {
                compressed(&pages.join(&name), &to.join("man/man1").join(name))?;
            }
        }
        let completions = [
            ("bash-completion/completions", "bash-completion/completions", self.name.to_owned()),
            ("zsh/site-functions", "zsh/vendor-completions", format!("_{}", self.name)),
            ("fish/vendor_completions.d", "fish/vendor_completions.d", format!("{}.fish", self.name)),
        ];
        for (made, debian, name) in completions {
            files::copy(&from.join(made).join(&name), &to.join(debian).join(&name))?;
        }
        let doc = to.join("doc").join(self.name);
        for document in documents {
            let name = Path::new(document).file_name().unwrap_or_default();
            files::copy(&place::root().join(document), &doc.join(name))?;
        }
        compressed(&place::root().join("CHANGELOG.md"), &doc.join("CHANGELOG.md"))?;
        let date = run::capture(run::command("date").args(["-R", "-u", "-d"]).arg(format!("@{}", self.release.epoch)))?;
        let changelog = format!(
            "{} ({}) unstable; urgency=medium\n\n  * What is new stands in CHANGELOG.md.gz.\n\n -- {}  {date}",
            self.name,
            self.release.version,
            maintainer(),
        );
        let plain = self.tree.with_extension("changelog");
        files::write(&plain, changelog.as_bytes())?;
        compressed(&plain, &doc.join("changelog"))?;
        let licence = files::read(&place::root().join("LICENSE-MIT"))?;
        let mit = licence.lines().skip(4).map(|line| if line.is_empty() { " .".into() } else { format!(" {line}") });
        let copyright = format!(
            "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: Godwit\nSource: \
             {}\n\nFiles: *\nCopyright: 2026 The Godwit developers\nLicense: Expat or Apache-2.0\n\nLicense: Expat\n{}\n\nLicense: \
             Apache-2.0\n The text is in /usr/share/common-licenses/Apache-2.0. The libraries that are\n linked, with their \
             licences, are listed in the release's SBOM.\n",
            env!("CARGO_PKG_REPOSITORY"),
            mit.collect::<Vec<_>>().join("\n"),
        );
        files::write(&doc.join("copyright"), copyright.as_bytes())?;
        let overrides = place::root().join(FILES).join(format!("overrides-{share}"));
        files::copy(&overrides, &to.join("lintian/overrides").join(self.name))
    }

    fn build(&self, packages: &Path) -> Outcome<PathBuf> {
        let architecture = run::capture(run::command("dpkg").arg("--print-architecture"))?.trim().to_owned();
        let mut sums = run::command("sh");
        sums.current_dir(&self.tree);
        sums.args([
            "-euc",
            "find . -type f ! -path './DEBIAN/*' -printf '%P\\n' | LC_ALL=C sort | xargs -d '\\n' md5sum",
        ]);
        files::write(&self.tree.join("DEBIAN/md5sums"), run::capture(&mut sums)?.as_bytes())?;
        modes(&self.tree, &self.programs)?;
        let size =
            run::capture(run::command("du").args(["-sk", "--apparent-size", "--exclude=DEBIAN"]).arg(&self.tree))?;
        let control = format!(
            "Package: {}\nVersion: {}\nSection: net\nPriority: optional\nArchitecture: {architecture}\nMaintainer: \
             {}\nInstalled-Size: {}\nDepends: {}\n{}Homepage: {}\nDescription: {}\n {}\n",
            self.name,
            self.release.version,
            maintainer(),
            size.split_whitespace().next().unwrap_or("0"),
            self.depends()?,
            self.more,
            env!("CARGO_PKG_REPOSITORY"),
            self.about.0,
            self.about.1,
        );
        files::write(&self.tree.join("DEBIAN/control"), control.as_bytes())?;
        fs::set_permissions(self.tree.join("DEBIAN/control"), fs::Permissions::from_mode(0o644))?;
        let time = format!("@{}", self.release.epoch);
        run::check(run::command("find").arg(&self.tree).args(["-exec", "touch", "-h", "-d", &time, "{}", "+"]))?;
        let file = packages.join(format!("{}_{}_{architecture}.deb", self.name, self.release.version));
        let mut deb = run::command("dpkg-deb");
        deb.env("SOURCE_DATE_EPOCH", self.release.epoch).args(["--root-owner-group", "--threads-max=1"]);
        deb.args(if self.release.quick { ["-Zgzip", "-z1"] } else { ["-Zxz", "-z9"] });
        run::check(deb.arg("--build").arg(&self.tree).arg(&file).stdout(std::process::Stdio::null()))?;
        Ok(file)
    }

    /// The libraries that the programs want, as Debian names them.
    fn depends(&self) -> Outcome<String> {
        let folder = self.tree.with_extension("shlibs");
        files::write(&folder.join("debian/control"), b"Source: godwit\n\nPackage: godwit\nArchitecture: any\n")?;
        let mut shlibdeps = run::command("dpkg-shlibdeps");
        shlibdeps.current_dir(&folder).arg("-O");
        let said = run::capture(shlibdeps.args(&self.programs))?;
        let depends = said.trim().strip_prefix("shlibs:Depends=").ok_or("dpkg-shlibdeps said nothing")?.to_owned();
        Ok(if self.name == "godwit-server" {
            format!("{depends}, systemd | systemd-standalone-sysusers | systemd-sysusers")
        } else {
            depends
        })
    }
}

/// Whoever builds packages for others says who they are.
fn maintainer() -> String {
    std::env::var("GODWIT_MAINTAINER").unwrap_or_else(|_| "The Godwit developers <godwit@godwit.io>".into())
}

fn link(to: &str, at: &Path) -> Outcome {
    files::make_folder(at.parent().unwrap_or(Path::new("/")))?;
    symlink(to, at).map_err(|error| format!("{}: {error}", at.display()).into())
}

/// As `NAME.gz`, without a name and a time in it.
fn compressed(from: &Path, to: &Path) -> Outcome {
    let to = PathBuf::from(format!("{}.gz", to.display()));
    files::make_folder(to.parent().unwrap_or(Path::new("/")))?;
    let output = run::command("gzip").args(["-9", "-n", "-c"]).arg(from).output()?;
    if output.status.success() {
        files::write(&to, &output.stdout)
    } else {
        Err(format!("gzip: {}", from.display()).into())
    }
}

/// Whatever the builder's umask is.
fn modes(folder: &Path, programs: &[PathBuf]) -> Outcome {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            modes(&path, programs)?;
        } else if kind.is_file() {
            let script =
                folder.ends_with("DEBIAN") && ["postinst", "prerm", "postrm"].iter().any(|s| path.ends_with(s));
            let mode = if script || programs.contains(&path) { 0o755 } else { 0o644 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        }
    }
    Ok(())
}
