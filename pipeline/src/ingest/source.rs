//! Files as bytes: found, hashed, unpacked, and never allowed to grow without bound.
//!
//! A file is read at most three times (hash, head, content), always as a stream. A gzip file that unpacks to
//! more than it could honestly hold is refused before it fills a disk or memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};
use warehouse::FileOrigin;

use super::refuse::{Refusal, TOO_LARGE, UNREADABLE};

/// Largest file, as stored.
const MAX_FILE_BYTES: u64 = 512 << 20;
/// Largest content, unpacked.
const MAX_CONTENT_BYTES: u64 = 1 << 30;
/// Honest tables pack 5 to 60 times; gzip can go to 1,030.
const MAX_RATIO: u64 = 250;
/// A small file may unpack to this much whatever its ratio.
const RATIO_FLOOR: u64 = 16 << 20;
/// Bytes that decide what a file is.
const HEAD_BYTES: usize = 64 << 10;
/// Endings a walk through a folder looks at; a file named on the command line is always looked at.
const ENDINGS: [&str; 5] = ["csv", "json", "jsonl", "ndjson", "txt"];

/// A file that can be read, with its fingerprint.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    content: Content,
    /// Name without folders.
    pub(crate) name: String,
    pub(crate) sha256: String,
    pub(crate) size: u64,
    packed: bool,
}

/// Where the bytes are.
#[derive(Debug, Clone)]
enum Content {
    File(PathBuf),
    Memory(Arc<[u8]>),
}

/// How gzip begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// More bytes than a file of its size can honestly hold.
#[derive(Debug, thiserror::Error)]
#[error("unpacks to more than {limit} bytes from {packed}")]
pub(crate) struct Bomb {
    limit: u64,
    packed: u64,
}

impl Source {
    /// Hashes a file and tells whether it is packed.
    pub(crate) fn open(path: &Path) -> Result<Self, Refusal> {
        let unreadable = |e: io::Error| Refusal::new(UNREADABLE, format!("the file cannot be read: {e}"));
        let size = std::fs::metadata(path).map_err(unreadable)?.len();
        if size > MAX_FILE_BYTES {
            return Err(Refusal::new(
                TOO_LARGE,
                format!("the file has {size} bytes, at most {MAX_FILE_BYTES} are read; split it"),
            ));
        }
        let mut file = File::open(path).map_err(unreadable)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 64 << 10];
        let mut magic = Vec::new();
        loop {
            let n = file.read(&mut buffer).map_err(unreadable)?;
            if n == 0 {
                break;
            }
            if magic.len() < 2 {
                magic.extend_from_slice(&buffer[..n.min(2)]);
            }
            hash.update(&buffer[..n]);
        }
        Ok(Self {
            content: Content::File(path.to_owned()),
            name: name_of(path),
            sha256: hash.finalize().iter().map(|b| format!("{b:02x}")).collect(),
            size,
            packed: magic.starts_with(&GZIP),
        })
    }

    /// The file as the ledger remembers it.
    pub(crate) fn origin(&self) -> FileOrigin {
        let path = match &self.content {
            Content::File(path) => path.canonicalize().unwrap_or_else(|_| path.clone()),
            Content::Memory(_) => PathBuf::from(&self.name),
        };
        FileOrigin { name: self.name.clone(), sha256: self.sha256.clone(), path: path.display().to_string() }
    }

    /// Bytes that are at hand, under the name they would have as a file.
    pub(crate) fn in_memory(name: &str, bytes: &[u8]) -> Self {
        Self {
            content: Content::Memory(bytes.into()),
            name: name.to_owned(),
            sha256: proto::codec::sha256_hex(bytes),
            size: bytes.len() as u64,
            packed: bytes.starts_with(&GZIP),
        }
    }

    /// The content from its beginning.
    pub(crate) fn reader(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(match &self.content {
            Content::File(path) => self.unpacked(BufReader::with_capacity(64 << 10, File::open(path)?)),
            Content::Memory(bytes) => self.unpacked(Cursor::new(Arc::clone(bytes))),
        })
    }

    fn unpacked(&self, file: impl BufRead + Send + 'static) -> Box<dyn Read + Send> {
        if !self.packed {
            return Box::new(file);
        }
        let limit = (self.size * MAX_RATIO).clamp(RATIO_FLOOR, MAX_CONTENT_BYTES);
        Box::new(Guard { inner: MultiGzDecoder::new(file), left: limit, limit, packed: self.size })
    }

    /// The first bytes of the content; what is damaged further on does not matter here.
    pub(crate) fn head(&self) -> io::Result<Vec<u8>> {
        let mut head = Vec::new();
        let mut reader = self.reader()?.take(HEAD_BYTES as u64);
        match reader.read_to_end(&mut head) {
            Ok(_) => Ok(head),
            Err(_) if !head.is_empty() => Ok(head),
            Err(e) => Err(e),
        }
    }
}

/// The name of a file without its folders.
pub(crate) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// True when reading ended because of a bomb.
pub(crate) fn is_bomb(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Bomb>())
}

/// Stops a stream at its limit.
struct Guard<R> {
    inner: R,
    left: u64,
    limit: u64,
    packed: u64,
}

impl<R: Read> Read for Guard<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        match self.left.checked_sub(n as u64) {
            Some(left) => self.left = left,
            None => return Err(io::Error::other(Bomb { limit: self.limit, packed: self.packed })),
        }
        Ok(n)
    }
}

/// Files below the given paths, folders walked in sorted order. Inside folders only names that end like data
/// are taken; hidden ones never. What is skipped is returned beside, so that nothing is silent. A file that is named
/// twice is there twice.
pub(crate) fn walk(paths: &[PathBuf]) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (mut files, mut skipped) = (Vec::new(), Vec::new());
    for path in paths {
        if path.is_dir() {
            walk_folder(path, &mut files, &mut skipped);
        } else {
            files.push(path.clone());
        }
    }
    (files, skipped)
}

fn walk_folder(folder: &Path, files: &mut Vec<PathBuf>, skipped: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        files.push(folder.to_owned()); // reading it will say why it cannot be read
        return;
    };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|e| e.path())).collect();
    paths.sort();
    for path in paths {
        let name = name_of(&path);
        if name.starts_with('.') {
            continue;
        }
        // A link to a folder above would never end.
        let linked = std::fs::symlink_metadata(&path).is_ok_and(|m| m.is_symlink());
        if path.is_dir() {
            if !linked {
                walk_folder(&path, files, skipped);
            }
        } else if looks_like_data(&name) {
            files.push(path);
        } else {
            skipped.push(path);
        }
    }
}

fn looks_like_data(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    plain.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending))
}
