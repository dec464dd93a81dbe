//! TUN devices in network namespaces.
//!
//! The one place of this room with `unsafe`: attaching to a TUN device is an `ioctl` that no library of the workspace
//! offers. The device is made in our own namespace and then moved, so that no thread has to change its namespace.
#![allow(unsafe_code)]

use std::ffi::c_short;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;

/// `struct ifreq` of `netdevice(7)` as `TUNSETIFF` reads it.
#[repr(C)]
struct Request {
    name: [u8; 16],
    flags: c_short,
    unused: [u8; 22],
}

const TUNSETIFF: rustix::ioctl::Opcode = rustix::ioctl::opcode::write::<i32>(b'T', 202);
const IFF_TUN: c_short = 1;
/// Packets come bare, without four bytes that repeat the protocol.
const IFF_NO_PI: c_short = 0x1000;

/// One end of the line, as seen from outside its namespace: what the namespace sends is read here.
#[derive(Debug)]
pub struct Tun {
    file: File,
}

impl Tun {
    /// A device in a namespace, up, with an address of `10.77.0.0/24`.
    ///
    /// # Errors
    /// Without the rights of root, without `/dev/net/tun`, or if the namespace has such a device.
    pub fn create(namespace: &str, name: &str, address: &str, mtu: usize) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
            .open("/dev/net/tun")?;
        // Unique here until it has moved; there it gets its name.
        let passing = format!("gw{}{}", std::process::id(), address.rsplit('.').next().unwrap_or_default());
        attach(&file, &passing)?;
        run("ip", &["link", "set", &passing, "netns", namespace])?;
        let mtu = mtu.to_string();
        let inside = |arguments: &[&str]| run("ip", &[&["-n", namespace], arguments].concat());
        inside(&["link", "set", &passing, "name", name])?;
        // No IPv6 address: its announcements would be counted as traffic.
        inside(&["link", "set", name, "addrgenmode", "none"])?;
        inside(&["addr", "add", &format!("{address}/24"), "dev", name])?;
        inside(&["link", "set", name, "mtu", &mtu, "txqueuelen", "10000", "up"])?;
        inside(&["link", "set", "lo", "up"])?;
        Ok(Self { file })
    }

    /// The next packet that the namespace has sent.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if there is none.
    pub fn receive(&self, packet: &mut [u8]) -> io::Result<usize> {
        (&self.file).read(packet)
    }

    /// Hands a packet to the namespace.
    ///
    /// # Errors
    /// If the device does not take it, as when it is down.
    pub fn send(&self, packet: &[u8]) -> io::Result<usize> {
        (&self.file).write(packet)
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn attach(file: &File, name: &str) -> io::Result<()> {
    let mut request = Request { name: [0; 16], flags: IFF_TUN | IFF_NO_PI, unused: [0; 22] };
    // The last byte stays zero.
    for (to, from) in request.name.iter_mut().take(15).zip(name.bytes()) {
        *to = from;
    }
    // SAFETY: TUNSETIFF takes a pointer to a `struct ifreq`, of which `Request` is the layout and full size (40 bytes), and
    // reads the terminated name and the flags.
    unsafe { rustix::ioctl::ioctl(file, rustix::ioctl::Setter::<TUNSETIFF, Request>::new(request)) }?;
    Ok(())
}

/// A namespace that is removed at the end, if it was made here.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    ours: bool,
}

impl Namespace {
    /// Takes the one of this name, or makes it.
    ///
    /// # Errors
    /// Without the rights of root.
    pub fn open(name: &str) -> io::Result<Self> {
        let exists = std::path::Path::new("/run/netns").join(name).exists();
        if !exists {
            run("ip", &["netns", "add", name])?;
        }
        Ok(Self { name: name.to_owned(), ours: !exists })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if self.ours {
            let _ = run("ip", &["netns", "del", &self.name]);
        }
    }
}

fn run(program: &str, arguments: &[&str]) -> io::Result<()> {
    let output = Command::new(program).args(arguments).output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{program} {}: {}", arguments.join(" "), text.trim())))
}
