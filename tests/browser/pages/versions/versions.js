// What a server that offers the installer tells the SDK's installer.
"use strict";

window.connectVersions = {
  entries: [
    {
      title: "Godwit for Linux",
      platform: { os: "linux" },
      version: "4.2.0.1",
      updated: "2026-11-20",
      links: [{ title: "Installer", type: "application/octet-stream", href: "bin/godwit.run", hreflang: "en", rel: "enclosure-one-click" }],
    },
  ],
};
