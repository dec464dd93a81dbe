//! Trees of files: making them, and comparing two of them byte for byte.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::Path;

/// Bytes that look random and are the same for the same seed.
#[derive(Clone, Debug)]
pub struct Noise(u64);

impl Noise {
    /// Starts a sequence.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Fills `buffer`.
    pub fn fill(&mut self, buffer: &mut [u8]) {
        for piece in buffer.chunks_mut(8) {
            let bytes = self.next().to_le_bytes();
            piece.copy_from_slice(&bytes[..piece.len()]);
        }
    }
}

/// Writes a file of `size` bytes of noise; folders above it are made.
pub fn file(path: &Path, size: u64, seed: u64) {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).unwrap();
    }
    let mut noise = Noise::new(seed);
    let mut out = BufWriter::new(File::create(path).unwrap());
    let mut buffer = vec![0; 64 * 1024];
    let mut left = size;
    while left > 0 {
        let length = left.min(buffer.len() as u64) as usize;
        noise.fill(&mut buffer[..length]);
        out.write_all(&buffer[..length]).unwrap();
        left -= length as u64;
    }
    out.flush().unwrap();
}

/// Sizes around the boundaries of the unit (1 MiB).
const EDGES: [u64; 6] = [1, 1024 * 1024 - 1, 1024 * 1024, 1024 * 1024 + 1, 4 * 1024 * 1024, 5 * 1024 * 1024 + 3];

/// A tree with what breaks copying programs: many small files, an empty file, an empty folder, long, foreign and
/// misleading names, and sizes around the unit's boundaries.
pub fn sample(root: &Path, small_files: u32) {
    fs::create_dir_all(root).unwrap();
    let mut noise = Noise::new(u64::from(small_files) + 7);
    for n in 0..small_files {
        let path = root.join(format!("d{}/e{}/file-{n}.dat", n % 7, n % 3));
        file(&path, noise.below(20_000), u64::from(n) + 1000);
    }
    for (n, size) in EDGES.into_iter().enumerate() {
        file(&root.join(format!("edge/{size}.bin")), size, n as u64 + 1);
    }
    file(&root.join("empty-file"), 0, 0);
    fs::create_dir_all(root.join("empty-folder")).unwrap();
    file(&root.join("Żółw und Fähre/日本語 🐦.txt"), 3000, 20);
    file(&root.join("l".repeat(255)), 2_000_000, 21);
    file(&root.join("name.partial"), 5000, 22);
    file(&root.join("name"), 5001, 23);
    file(&root.join(" leading and trailing "), 10, 24);
    file(&root.join("-rf"), 11, 25);
}

/// Fails, naming every difference, unless both trees have the same folders and files with the same bytes.
pub fn assert_same(expected: &Path, found: &Path) {
    let (left, right) = (list(expected), list(found));
    let mut differences = Vec::new();
    for (path, kind) in &left {
        match right.get(path) {
            None => differences.push(format!("missing: {path}")),
            Some(other) if other != kind => differences.push(format!("{path}: expected {kind:?}, found {other:?}")),
            Some(Kind::File(_)) if !same_bytes(&expected.join(path), &found.join(path)) => {
                differences.push(format!("{path}: other bytes"));
            }
            Some(_) => {}
        }
    }
    differences.extend(right.keys().filter(|path| !left.contains_key(*path)).map(|path| format!("surplus: {path}")));
    assert!(
        differences.is_empty(),
        "{} and {} differ:\n{}",
        expected.display(),
        found.display(),
        differences.join("\n")
    );
}

/// Fails unless both files have the same bytes.
pub fn assert_same_file(expected: &Path, found: &Path) {
    assert!(found.is_file(), "{} is missing", found.display());
    assert!(same_bytes(expected, found), "{} and {} differ", expected.display(), found.display());
}

/// Bytes and number of the files of a tree.
#[must_use]
pub fn size(root: &Path) -> (u64, u64) {
    list(root).values().fold((0, 0), |(bytes, files), kind| match kind {
        Kind::File(size) => (bytes + size, files + 1),
        _ => (bytes, files),
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Folder,
    File(u64),
    Other,
}

fn list(root: &Path) -> BTreeMap<String, Kind> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(folder) = waiting.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        for entry in entries {
            let entry = entry.unwrap();
            let data = fs::symlink_metadata(entry.path()).unwrap();
            let kind = if data.is_dir() {
                waiting.push(entry.path());
                Kind::Folder
            } else if data.is_file() {
                Kind::File(data.len())
            } else {
                Kind::Other
            };
            let path = entry.path().strip_prefix(root).unwrap().to_str().expect("names of tests are UTF-8").to_owned();
            found.insert(path, kind);
        }
    }
    found
}

fn same_bytes(left: &Path, right: &Path) -> bool {
    let (Ok(mut left), Ok(mut right)) = (File::open(left), File::open(right)) else { return false };
    let (mut a, mut b) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let n = read_full(&mut left, &mut a);
        let m = read_full(&mut right, &mut b);
        if n != m || a[..n] != b[..m] {
            return false;
        }
        if n == 0 {
            return true;
        }
    }
}

fn read_full(file: &mut File, buffer: &mut [u8]) -> usize {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]).unwrap() {
            0 => break,
            n => filled += n,
        }
    }
    filled
}
