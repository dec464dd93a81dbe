//! The predecessor's transfer error numbers (reference, 5.7), which web applications already know.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

macro_rules! codes {
    ($($name:ident = $number:literal, $retry:literal, $text:literal;)*) => {
        /// Why a transfer, or one file of it, failed. The number is what pages see as `error_code`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs)]
        #[repr(u16)]
        pub enum ErrorCode { $($name = $number,)* }

        impl ErrorCode {
            /// Every code, in the order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code with this number; an unknown number is `Internal`.
            #[must_use]
            pub fn from_number(number: u16) -> Self {
                match number { $($number => Self::$name,)* _ => Self::Internal }
            }

            /// True if trying again later may succeed without anybody changing anything.
            #[must_use]
            pub fn is_retryable(self) -> bool {
                match self { $(Self::$name => $retry,)* }
            }

            /// What happened and what to do, in plain words.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

codes! {
    None = 0, false, "No error.";
    Protocol = 1, false, "The other side did not keep to the protocol. Check that both sides run a current version.";
    NoSuchFile = 4, false, "The file or folder does not exist.";
    NoPermission = 5, false, "No permission to read or write there. Change the permissions or choose another folder.";
    NotDirectory = 6, false, "The target must be a folder.";
    IsDirectory = 7, false, "A file was expected, but a folder is there.";
    Usage = 8, false, "The request is not valid.";
    Internal = 11, false, "An internal error. The log says more.";
    ControlFailed = 12, true, "The connection to the server failed.";
    ControlTimeout = 13, true, "The server did not answer. Check its address and that TCP port 33001 is open.";
    DataConnection = 14, true, "The data connection (UDP) failed. Check that UDP port 33001 is open in your firewall.";
    DataTimeout = 15, true, "No data could be exchanged over UDP. Check that UDP port 33001 is open in your firewall.";
    ConnectionLost = 16, true, "The connection was lost.";
    Authentication = 19, false, "The user name, password or token was not accepted.";
    NothingToTransfer = 20, false, "There is nothing to transfer.";
    NotRegular = 21, false, "A special file (device, socket, pipe or link) cannot be transferred.";
    TooManyFiles = 23, true, "Too many files are open.";
    FileTooBig = 24, false, "The file is too big for the target.";
    NoSpace = 25, false, "There is no space left on the target disk. Free some space, then resume: nothing is lost.";
    ReadOnlyFilesystem = 26, false, "The target disk is read-only.";
    SomeFilesFailed = 27, false, "Some files could not be transferred.";
    UserCancel = 28, false, "Stopped by the user.";
    Unauthorized = 34, false, "The server does not allow this.";
    DiskRead = 35, true, "A source file could not be read.";
    DiskWrite = 36, true, "A target file could not be written.";
    PeerAborted = 39, true, "The other side ended the session.";
    Stalled = 40, true, "No data moved for a while.";
    BadPath = 41, false, "The path lies outside the folder that may be used.";
    AlreadyExists = 42, false, "The target exists already.";
    StatFailed = 43, false, "The properties of a file could not be read.";
    FileEncryption = 48, false, "The files are not encrypted, or could not be encrypted or decrypted: no passphrase was given. Resume the transfer to be asked again.";
    Insecure = 51, false, "The server's certificate is not the expected one. Ask its administrator before you go on.";
    PathTooLong = 55, false, "A path is too long for the target. Shorten names, or choose a target folder that is less deep.";
    IllegalCharacters = 56, false, "The target cannot store a name. Rename the file or folder, or choose a target on another disk: disks made for Windows take none of : * ? < > |, no name such as AUX, and no dot or space at the end.";
    LinkLoop = 63, false, "Links form a loop.";
    RenamePartial = 64, false, "A finished file could not be given its final name.";
}

impl ErrorCode {
    /// The number that pages see.
    #[must_use]
    pub fn number(self) -> u16 {
        self as u16
    }

    /// The code that fits a failed disk operation; `writing` says on which side of the copy it happened.
    #[must_use]
    pub fn from_io(error: &std::io::Error, writing: bool) -> Self {
        use std::io::ErrorKind as Kind;
        match error.kind() {
            Kind::NotFound => Self::NoSuchFile,
            Kind::PermissionDenied => Self::NoPermission,
            Kind::NotADirectory => Self::NotDirectory,
            Kind::IsADirectory => Self::IsDirectory,
            Kind::StorageFull | Kind::QuotaExceeded => Self::NoSpace,
            Kind::ReadOnlyFilesystem => Self::ReadOnlyFilesystem,
            Kind::FileTooLarge => Self::FileTooBig,
            Kind::InvalidFilename => Self::PathTooLong,
            Kind::AlreadyExists => Self::AlreadyExists,
            _ => match error.raw_os_error() {
                Some(40) => Self::LinkLoop,                     // ELOOP
                Some(18) => Self::BadPath,                      // EXDEV, from openat2 when a path would leave its root
                Some(23 | 24) => Self::TooManyFiles,            // ENFILE, EMFILE
                Some(84) if writing => Self::IllegalCharacters, // EILSEQ
                _ if writing => Self::DiskWrite,
                _ => Self::DiskRead,
            },
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error {}", self.number())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.number())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u16::deserialize(deserializer).map(Self::from_number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_the_round_trip_and_unknown_ones_are_internal() {
        for &code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_number(code.number()), code);
            assert!(!code.text().is_empty());
        }
        assert_eq!(ErrorCode::from_number(999), ErrorCode::Internal);
    }

    #[test]
    fn a_full_disk_is_named_as_such() {
        assert_eq!(ErrorCode::from_io(&std::io::Error::from_raw_os_error(28), true), ErrorCode::NoSpace);
        assert!(!ErrorCode::NoSpace.is_retryable());
    }
}
