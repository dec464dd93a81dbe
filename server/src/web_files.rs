//! The web application's files, which are part of this program. No build step: what lies in `server/web` is what browsers
//! get, beside the parts of the extension's design system that it uses.

/// A file.
#[derive(Clone, Copy, Debug)]
pub struct WebFile {
    /// Below `/`.
    pub path: &'static str,
    /// `Content-Type`.
    pub kind: &'static str,
    /// What is in it.
    pub content: &'static [u8],
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

macro_rules! files {
    ($($path:literal $kind:ident $source:literal,)*) => {
        &[$(WebFile { path: $path, kind: $kind, content: include_bytes!(concat!("../", $source)) },)*]
    };
}

/// All of them; `""` is the page itself.
pub const FILES: &[WebFile] = files! {
    "" HTML "web/index.html",
    "app/web.css" STYLE "web/app/web.css",
    "app/views.css" STYLE "web/app/views.css",
    "app/api.js" SCRIPT "web/app/api.js",
    "app/ask.js" SCRIPT "web/app/ask.js",
    "app/de.js" SCRIPT "web/app/de.js",
    "app/diagnostics.js" SCRIPT "web/app/diagnostics.js",
    "app/en.js" SCRIPT "web/app/en.js",
    "app/files.js" SCRIPT "web/app/files.js",
    "app/grid.js" SCRIPT "web/app/grid.js",
    "app/install.js" SCRIPT "web/app/install.js",
    "app/listing.js" SCRIPT "web/app/listing.js",
    "app/main.js" SCRIPT "web/app/main.js",
    "app/patience.js" SCRIPT "web/app/patience.js",
    "app/protection.js" SCRIPT "web/app/protection.js",
    "app/sdk.js" SCRIPT "web/app/sdk.js",
    "app/share.js" SCRIPT "web/app/share.js",
    "app/text.js" SCRIPT "web/app/text.js",
    "app/transfers.js" SCRIPT "web/app/transfers.js",
    "app/verdict.js" SCRIPT "web/app/verdict.js",
    "app/where.js" SCRIPT "web/app/where.js",
    "icons/godwit.svg" PICTURE "../extension/icons/godwit.svg",
    "ui/base.css" STYLE "../extension/ui/base.css",
    "ui/parts.css" STYLE "../extension/ui/parts.css",
    "ui/dom.js" SCRIPT "../extension/ui/dom.js",
    "ui/format.js" SCRIPT "../extension/ui/format.js",
    "ui/icons.js" SCRIPT "../extension/ui/icons.js",
    "ui/selection.js" SCRIPT "../extension/ui/selection.js",
    "ui/virtual-list.js" SCRIPT "../extension/ui/virtual-list.js",
};

/// The file at an address.
#[must_use]
pub fn find(path: &str) -> Option<&'static WebFile> {
    FILES.iter().find(|file| file.path == path)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn every_file_of_the_application_is_served_and_every_import_leads_to_one() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("web/app");
        let there: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| format!("app/{}", entry.unwrap().file_name().to_str().unwrap()))
            .filter(|name| !name.ends_with(".d.ts"))
            .collect();
        let served: BTreeSet<String> =
            FILES.iter().map(|file| file.path.to_owned()).filter(|path| path.starts_with("app/")).collect();
        assert_eq!(there, served);
        for file in FILES.iter().filter(|file| file.kind == SCRIPT) {
            let text = std::str::from_utf8(file.content).unwrap();
            let folder = file.path.split('/').next().unwrap();
            for line in text.lines().filter(|line| line.starts_with("import ") || line.starts_with("} from ")) {
                let from = line.rsplit('"').nth(1).unwrap_or_default();
                if from.is_empty() {
                    continue;
                }
                let wanted = match from.strip_prefix("../") {
                    Some(path) => path.to_owned(),
                    None => format!("{folder}/{}", from.strip_prefix("./").unwrap()),
                };
                assert!(find(&wanted).is_some(), "{}: {line}", file.path);
            }
        }
    }

    #[test]
    fn t24_the_page_has_no_script_and_no_style_of_its_own() {
        let page = std::str::from_utf8(find("").unwrap().content).unwrap();
        for inline in ["<style", "style=", "onclick", "javascript:", "http://", "https://"] {
            assert!(!page.contains(inline), "{inline}");
        }
        for script in page.split("<script").skip(1) {
            assert!(script.split('>').next().unwrap().contains("src=\"/"), "{script}");
            assert!(script.split_once('>').unwrap().1.starts_with("</script>"), "{script}");
        }
    }
}
