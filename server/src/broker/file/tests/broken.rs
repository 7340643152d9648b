//! Files that are damaged, and disks that refuse.

use std::fs;
use std::path::{Path, PathBuf};

use super::faulty::Faulty;
use super::{Folder, KEEP, append, disk, messages, opened};
use crate::broker::file::HistoryFile;
use crate::broker::{DurableLogs as _, Unavailable};

fn aside(path: &Path) -> PathBuf {
    path.with_extension("broken")
}

/// A file with some messages.
async fn written(path: &Path) -> Vec<u8> {
    let file = opened(path);
    for number in 0..50 {
        append(&file, "room", format!("{number} {}", "x".repeat(500)), KEEP).await.unwrap();
    }
    drop(file);
    // The file is closed when the next process can open it.
    drop(opened(path));
    drop(disk::open(path).unwrap());
    fs::read(path).unwrap()
}

#[tokio::test]
async fn a_damaged_file_is_put_aside_and_the_histories_begin_anew() {
    let folder = Folder::new();
    let whole = written(&folder.file()).await;
    let (mut as_before, mut anew) = (0, 0);
    for place in (0..whole.len()).step_by(whole.len() / 200) {
        for damage in [Damage::Flip, Damage::Cut, Damage::Zeros] {
            let path = folder.0.join(format!("{damage:?} {place}"));
            fs::write(&path, damage.done_to(&whole, place)).unwrap();
            let file = opened(&path);
            let kept = file.read("room", KEEP).await.unwrap();
            if aside(&path).exists() {
                assert_eq!((kept.end.offset, kept.entries.len()), (0, 0), "{damage:?} {place}");
                anew += 1;
            } else if damage.done_to(&whole, place).is_empty() {
                assert_eq!(kept.end.offset, 0);
            } else {
                assert_eq!((kept.end.offset, kept.entries.len()), (50, 50), "{damage:?} {place}");
                as_before += 1;
            }
            let next = kept.end.offset + 1;
            assert_eq!(append(&file, "room", "next", KEEP).await.unwrap().offset, next);
        }
    }
    assert!(anew > 200 && as_before > 20, "{anew} {as_before}");
}

#[derive(Debug, Clone, Copy)]
enum Damage {
    Flip,
    Cut,
    Zeros,
}

impl Damage {
    fn done_to(self, whole: &[u8], place: usize) -> Vec<u8> {
        let mut bytes = whole.to_vec();
        match self {
            Self::Flip => bytes[place] ^= 0x10,
            Self::Cut => bytes.truncate(place),
            Self::Zeros => {
                let end = bytes.len().min(place + 512);
                bytes[place..end].fill(0);
            }
        }
        bytes
    }
}

#[test]
fn a_foreign_or_unreadable_file_is_an_error_that_names_it_and_what_to_do() {
    let folder = Folder::new();
    let path = folder.0.join("nowhere").join("histories");
    let error = HistoryFile::open(&path).unwrap_err().to_string();
    assert!(error.contains(&path.display().to_string()), "{error}");
    assert!(error.contains("see that this user may read and write it"), "{error}");
    // A file of another program is not lost.
    fs::write(folder.file(), "the novel that I am writing, and of which there is no other copy")
        .unwrap();
    drop(opened(&folder.file()));
    assert!(fs::read_to_string(aside(&folder.file())).unwrap().starts_with("the novel"));
}

#[tokio::test]
async fn a_disk_that_refuses_writes_is_reported_and_does_not_prevent_reads() {
    let storage = Faulty::default();
    let file = HistoryFile::on(storage.clone());
    assert_eq!(append(&file, "room", "one", KEEP).await.unwrap().offset, 1);
    storage.refuse(true);
    for _ in 0..3 {
        assert_eq!(append(&file, "room", "refused", KEEP).await, Err(Unavailable));
        assert_eq!(messages(&file.read("room", KEEP).await.unwrap()), [(1, "one".into())]);
    }
    let new = file.read("new", KEEP).await.unwrap();
    storage.refuse(false);
    let second = append(&file, "room", "two", KEEP).await.unwrap();
    assert_eq!(second.offset, 2);
    let at = append(&file, "new", "said", KEEP).await.unwrap();
    assert_eq!((at.epoch, at.offset), (new.end.epoch, 1));
    drop(file);
    let file = HistoryFile::on(Faulty::holding(storage.after_the_cut(|| true)));
    let kept = file.read("room", KEEP).await.unwrap();
    assert_eq!((messages(&kept), kept.end), (vec![(1, "one".into()), (2, "two".into())], second));
}
