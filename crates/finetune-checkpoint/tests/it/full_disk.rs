//! Tests of a disk that fills up during a save: the error is clear, the earlier checkpoints are intact,
//! and saving works again once there is space.

use std::io;

use finetune_checkpoint::{CheckpointError, Content};

use crate::support::{KEEP_ALL, assert_content, content, entries, store};

#[test]
fn the_error_says_what_was_needed_and_what_is_whole() {
    let (_folder, mut store) = store(KEEP_ALL);
    for step in 1..=3 {
        store.save(step, content(step, 1000), step == 2).unwrap();
    }
    std::fs::remove_file(store.directory().path_of(1).join("model.bin")).unwrap();
    let full =
        Content::default()
            .bytes("a", vec![1; 500_000])
            .writer("b", Some(1_500_000), |out| {
                out.write_all(&[1; 700_000])?;
                Err(io::ErrorKind::StorageFull.into())
            });
    let error = store.save(4, full, true).unwrap_err();
    let CheckpointError::NoSpace {
        path,
        needed,
        free,
        whole,
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(path, &store.directory().path_of(4));
    assert_eq!((*needed, whole.as_slice()), (Some(2_000_000), &[2, 3][..]));
    assert_eq!(free.is_some(), cfg!(unix));
    let message = error.to_string();
    assert!(
        message.contains("step-000004: the disk is full (needed 2.0 MB"),
        "{message}"
    );
    assert!(
        message.ends_with(
            "Free some space and resume; the earlier checkpoints step-000002, step-000003 are whole"
        ),
        "{message}"
    );
    assert_eq!(
        entries(store.directory().path()),
        ["best.json", "step-000001", "step-000002", "step-000003"]
    );
    assert_eq!(store.best().unwrap(), Some(2));
}

/// The error of a disk that is really full.
#[cfg(target_os = "linux")]
#[test]
fn the_systems_own_error_is_understood() {
    use std::fs::OpenOptions;
    use std::io::Write;

    let (_folder, mut store) = store(KEEP_ALL);
    let full = Content::default().writer("a", None, |_| {
        let mut device = OpenOptions::new().write(true).open("/dev/full")?;
        device.write_all(b"x")
    });
    let error = store.save(1, full, false).unwrap_err();
    assert!(
        matches!(&error, CheckpointError::NoSpace { source, .. } if source.raw_os_error().is_some()),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .ends_with("there is no earlier checkpoint"),
        "{error}"
    );
    assert!(entries(store.directory().path()).is_empty());
}

/// A small separate disk, which only the administrator may mount.
#[cfg(target_os = "linux")]
mod mounted {
    use std::path::Path;
    use std::process::{Command, Stdio};

    use finetune_checkpoint::CheckpointStore;
    use tempfile::TempDir;

    use super::*;

    struct SmallDisk(TempDir);

    impl SmallDisk {
        fn mount(size: &str) -> Option<Self> {
            let folder = tempfile::tempdir().unwrap();
            let mounted = Command::new("mount")
                .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
                .arg(folder.path())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success());
            mounted.then_some(Self(folder))
        }

        fn path(&self) -> &Path {
            self.0.path()
        }
    }

    impl Drop for SmallDisk {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(self.path()).status();
        }
    }

    #[test]
    fn a_disk_that_fills_up() {
        let Some(disk) = SmallDisk::mount("4m") else {
            println!("skipped: no disk can be mounted here (that takes root on Linux)");
            return;
        };
        let path = disk.path().join("checkpoints");
        let mut store = CheckpointStore::open(&path, KEEP_ALL).unwrap();
        // With 1.6 MB each, the third checkpoint does not fit into 4 MiB.
        for step in 1..=2 {
            store.save(step, content(step, 800_000), step == 1).unwrap();
        }
        let error = store.save(3, content(3, 800_000), true).unwrap_err();
        let CheckpointError::NoSpace {
            needed,
            free: Some(free),
            whole,
            ..
        } = &error
        else {
            panic!("{error}")
        };
        assert_eq!((*needed, whole.as_slice()), (Some(1_600_000), &[1, 2][..]));
        assert!((500_000..1_600_000).contains(free), "{free}");
        assert_eq!(entries(&path), ["best.json", "step-000001", "step-000002"]);
        assert_eq!(store.best().unwrap(), Some(1));

        // A store on a completely full disk can still be opened and read.
        std::fs::write(disk.path().join("filler"), vec![0; 4 << 20]).unwrap_err();
        drop(store);
        let mut store = CheckpointStore::open(&path, KEEP_ALL).unwrap();
        let found = store.newest_valid().unwrap().unwrap();
        assert_content(&found.checkpoint, 800_000);
        assert_eq!(found.checkpoint.step(), 2);

        std::fs::remove_file(disk.path().join("filler")).unwrap();
        std::fs::remove_dir_all(store.directory().path_of(1)).unwrap();
        store.save(3, content(3, 800_000), true).unwrap();
        let found = store.newest_valid().unwrap().unwrap();
        assert_content(&found.checkpoint, 800_000);
        assert_eq!(
            (found.checkpoint.step(), store.best().unwrap()),
            (3, Some(3))
        );
    }
}
