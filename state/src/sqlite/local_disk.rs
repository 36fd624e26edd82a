//! A state file lies on a local disk: locks and shared memory of WAL do not work over a network.

use std::path::{Path, PathBuf};

use crate::{Result, StoreError};

/// File systems whose files another machine serves.
const NETWORK: [&str; 17] = [
    "afs",
    "autofs",
    "ceph",
    "cifs",
    "fuse.ceph",
    "fuse.gcsfuse",
    "fuse.glusterfs",
    "fuse.rclone",
    "fuse.s3fs",
    "fuse.sshfs",
    "glusterfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "smb3",
    "smbfs",
];

/// Refuses a path on a network file system, where the operating system tells.
pub(super) fn check(path: &Path) -> Result<()> {
    let Ok(mounts) = std::fs::read_to_string("/proc/mounts") else { return Ok(()) };
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = existing_ancestor(&absolute);
    match file_system_of(&mounts, &folder) {
        Some(kind) if NETWORK.contains(&kind) => Err(StoreError::Refused(format!(
            "sqlite:{} lies on a network file system ({kind}), where SQLite's locks do not hold: \
             use a local disk, or redis:// for several machines",
            path.display()
        ))),
        _ => Ok(()),
    }
}

/// The nearest folder above the path that exists, with symbolic links resolved.
fn existing_ancestor(path: &Path) -> PathBuf {
    path.ancestors().find_map(|folder| folder.canonicalize().ok()).unwrap_or_else(|| PathBuf::from("/"))
}

/// The type of the file system that the longest matching mount point has; the last one, where one covers another.
fn file_system_of<'a>(mounts: &'a str, folder: &Path) -> Option<&'a str> {
    let mut best: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let mut fields = line.split_ascii_whitespace();
        let (Some(_), Some(point), Some(kind)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        // /proc/mounts writes a blank as \040.
        let point = point.replace("\\040", " ");
        let covers = folder.starts_with(&point);
        if covers && best.is_none_or(|(len, _)| point.len() >= len) {
            best = Some((point.len(), kind));
        }
    }
    best.map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
/dev/sda1 / ext4 rw 0 0
server:/export /mnt/shared nfs4 rw 0 0
/dev/sdb1 /mnt/shared/local xfs rw 0 0
//box/files /mnt/my\\040files cifs rw 0 0
tmpfs /run tmpfs rw 0 0
overlay /run overlay rw 0 0";

    #[test]
    fn the_longest_mount_point_decides() {
        for (folder, kind) in [
            ("/home/me", "ext4"),
            ("/mnt/shared/tipoff", "nfs4"),
            ("/mnt/sharedness", "ext4"),
            ("/mnt/shared/local/tipoff", "xfs"),
            ("/mnt/my files/tipoff", "cifs"),
            ("/run/x", "overlay"),
        ] {
            assert_eq!(file_system_of(MOUNTS, Path::new(folder)), Some(kind), "{folder}");
        }
        assert!(NETWORK.contains(&"nfs4") && !NETWORK.contains(&"ext4"));
    }
}
