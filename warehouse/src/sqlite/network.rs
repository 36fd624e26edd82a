//! Network file systems are refused: SQLite's locks and shared memory do not work across machines, and a database
//! that two machines believe to own is lost quietly.

use std::path::Path;

/// Types of file systems that are shared between machines, as the kernel names them.
const NETWORK: [&str; 19] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "ncpfs",
    "afs",
    "ceph",
    "glusterfs",
    "lustre",
    "gpfs",
    "beegfs",
    "ocfs2",
    "gfs2",
    "davfs",
    "fuse.sshfs",
    "fuse.s3fs",
    "fuse.rclone",
    "fuse.glusterfs",
];

/// The network file system under `path`, if the kernel says it is one; unknown systems pass.
pub(crate) fn network_file_system(path: &Path) -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    kind_in(&mounts, path)
}

/// The type of the longest mount point that is a prefix of `path`, if it is a network type.
fn kind_in(mounts: &str, path: &Path) -> Option<String> {
    let mut best: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let mut fields = line.split(' ').skip(1);
        let (Some(point), Some(kind)) = (fields.next(), fields.next()) else {
            continue;
        };
        let point = point.replace("\\040", " ");
        // A later mount on the same point hides the earlier one.
        if path.starts_with(&point) && best.is_none_or(|(len, _)| point.len() >= len) {
            best = Some((point.len(), kind));
        }
    }
    best.filter(|(_, kind)| NETWORK.contains(kind)).map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_decides() {
        let mounts = "overlay / overlay rw 0 0\n\
                      server:/export /data nfs4 rw 0 0\n\
                      /dev/sda1 /data/local ext4 rw 0 0\n\
                      //nas/share /mnt/my\\040share cifs rw 0 0\n";
        for (path, kind) in [
            ("/home/x/w.db", None),
            ("/data/w.db", Some("nfs4")),
            ("/data/local/w.db", None),
            ("/database/w.db", None),
            ("/mnt/my share/w.db", Some("cifs")),
        ] {
            assert_eq!(kind_in(mounts, Path::new(path)).as_deref(), kind, "{path}");
        }
        assert_eq!(kind_in("nonsense", Path::new("/x")), None);
    }
}
