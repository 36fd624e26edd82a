//! Whether a file is a whole shared library for this machine, seen before the loader maps it.
//!
//! A library that was cut off while it was copied maps without complaint and ends the process with a bus error when a page
//! behind its end is touched. The program headers say how long the file has to be, so that is asked first.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes of an ELF header on 64 bits, and of one of its program headers.
const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;

/// Says why the file cannot be a library of this machine; where libraries are not ELF, only whether it is a file.
pub(super) fn check(path: &Path) -> Result<(), String> {
    let unreadable = |error: std::io::Error| format!("it cannot be read ({error})");
    // Without this a pipe would keep the opener waiting for ever.
    let about = std::fs::metadata(path).map_err(unreadable)?;
    if !about.is_file() {
        return Err("it is not a file".to_owned());
    }
    if !cfg!(all(target_os = "linux", target_pointer_width = "64", target_endian = "little")) {
        return Ok(());
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let mut header = [0; HEADER];
    let is_elf = file.read_exact(&mut header).is_ok() && header.starts_with(b"\x7fELF\x02\x01");
    if !is_elf {
        return Err("it is not a shared library of this system".to_owned());
    }
    let machine = if cfg!(target_arch = "x86_64") { 62 } else { 183 };
    let (kind, built_for) = (half(&header, 16), half(&header, 18));
    if kind != 3 || built_for != machine {
        return Err("it is not a shared library for this processor".to_owned());
    }
    let (table, count) = (word(&header, 32), usize::from(half(&header, 56)));
    let mut headers = vec![0; count * PROGRAM_HEADER];
    let is_there = file.seek(SeekFrom::Start(table)).and_then(|_| file.read_exact(&mut headers)).is_ok();
    let needed =
        headers.chunks_exact(PROGRAM_HEADER).map(|header| word(header, 8).saturating_add(word(header, 32)));
    if !is_there || needed.max().is_none_or(|needed| needed > about.len()) {
        return Err("it ends in the middle: copy or install it again".to_owned());
    }
    Ok(())
}

fn half(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).and_then(|bytes| bytes.try_into().ok()).map_or(0, u16::from_le_bytes)
}

fn word(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]
    use super::*;

    /// A library of the C runtime that every process has loaded.
    fn a_library() -> Vec<u8> {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let path =
            maps.split_whitespace().find(|word| word.contains("libc.so")).expect("this process has a libc");
        std::fs::read(path).unwrap()
    }

    #[test]
    fn only_a_whole_library_of_this_machine_passes() {
        let folder = tempfile::tempdir().unwrap();
        let library = a_library();
        let mut other_machine = library.clone();
        other_machine[18] = 40;
        let mut program = library.clone();
        program[16] = 2;
        for (bytes, expected) in [
            (&library[..], None),
            (&library[..library.len() / 2], Some("ends in the middle")),
            (&library[..100], Some("ends in the middle")),
            (&library[..10], Some("not a shared library of this system")),
            (b"GROUP ( libonnxruntime.so.1 )", Some("not a shared library of this system")),
            (b"", Some("not a shared library of this system")),
            (&other_machine, Some("not a shared library for this processor")),
            (&program, Some("not a shared library for this processor")),
        ] {
            let path = folder.path().join("lib.so");
            std::fs::write(&path, bytes).unwrap();
            match (check(&path), expected) {
                (Ok(()), None) => {}
                (Err(why), Some(part)) => assert!(why.contains(part), "{part}: {why}"),
                (got, expected) => panic!("{got:?} for {expected:?}"),
            }
        }
        assert!(check(folder.path()).unwrap_err().contains("not a file"));
        assert!(check(&folder.path().join("nowhere.so")).unwrap_err().contains("cannot be read"));
    }
}
