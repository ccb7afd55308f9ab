//! The cache folder against damage, strangers, crowds and its bound.

use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, SystemTime};

use crate::cache::{Cache, Key, Unfit, pack, unpack};

const BOUND: u64 = 1 << 20;

/// A folder of a test's own, removed when it ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("fnhost-cache-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    fn cache(&self, bound: u64) -> Arc<Cache> {
        Arc::new(Cache::open(&self.0, bound).unwrap())
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> = fs::read_dir(&self.0).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        files
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn key(name: &str) -> Key {
    Key::of("test", &[name.as_bytes()])
}

fn body(cache: &Cache, name: &str) -> Option<Vec<u8>> {
    Some(cache.find(&key(name)).unwrap()?.body().unwrap())
}

/// Changes a file as only somebody who may do anything could.
fn rewrite(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o400)).unwrap();
}

#[test]
fn what_is_kept_is_found_with_its_note_by_a_second_user_of_the_folder() {
    let folder = Folder::new();
    folder.cache(BOUND).keep(&key("a"), b"body", b"note").unwrap();
    let mut entry = folder.cache(BOUND).find(&key("a")).unwrap().unwrap();
    assert_eq!((entry.body().unwrap().as_slice(), entry.note()), (&b"body"[..], &b"note"[..]));
    assert!(folder.cache(BOUND).find(&key("b")).unwrap().is_none());
}

#[test]
fn every_changed_byte_and_every_cut_is_noticed_and_the_file_removed() {
    let folder = Folder::new();
    let cache = folder.cache(BOUND);
    let size = {
        cache.keep(&key("a"), b"some body", b"some note").unwrap();
        fs::read(&folder.files()[0]).unwrap().len()
    };
    for at in 0..size {
        cache.keep(&key("a"), b"some body", b"some note").unwrap();
        rewrite(&folder.files()[0], |bytes| bytes[at] ^= 0x10);
        assert!(cache.find(&key("a")).unwrap().is_none(), "byte {at}");
        assert!(folder.files().is_empty(), "byte {at}");
        cache.keep(&key("a"), b"some body", b"some note").unwrap();
        rewrite(&folder.files()[0], |bytes| bytes.truncate(at));
        assert!(cache.find(&key("a")).unwrap().is_none(), "cut at {at}");
    }
    cache.keep(&key("a"), b"some body", b"some note").unwrap();
    rewrite(&folder.files()[0], |bytes| bytes.push(0));
    assert!(cache.find(&key("a")).unwrap().is_none(), "a byte more");
}

#[test]
fn swapped_files_are_noticed() {
    let folder = Folder::new();
    let cache = folder.cache(BOUND);
    cache.keep(&key("a"), b"of a", b"").unwrap();
    cache.keep(&key("b"), b"of b", b"").unwrap();
    let [one, other] = &folder.files()[..] else { panic!("two files") };
    let aside = folder.0.join("aside");
    fs::rename(one, &aside).unwrap();
    fs::rename(other, one).unwrap();
    fs::rename(&aside, other).unwrap();
    assert!(cache.find(&key("a")).unwrap().is_none() && cache.find(&key("b")).unwrap().is_none());
}

#[test]
fn a_file_that_others_may_write_or_that_is_none_is_not_believed() {
    let folder = Folder::new();
    let cache = folder.cache(BOUND);
    for mode in [0o600, 0o440, 0o404, 0o420, 0o402] {
        cache.keep(&key("a"), b"body", b"").unwrap();
        fs::set_permissions(&folder.files()[0], Permissions::from_mode(mode)).unwrap();
        assert!(cache.find(&key("a")).unwrap().is_none(), "{mode:o}");
    }
    cache.keep(&key("a"), b"body", b"").unwrap();
    let real = folder.0.join("real");
    fs::rename(&folder.files()[0], &real).unwrap();
    std::os::unix::fs::symlink(&real, folder.0.join(key("a").to_string())).unwrap();
    assert!(cache.find(&key("a")).unwrap().is_none(), "a link");
}

#[test]
fn files_are_for_their_user_alone_and_no_unfinished_one_stays() {
    let folder = Folder::new();
    folder.cache(BOUND).keep(&key("a"), b"body", b"").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(&folder.0), mode(&folder.files()[0]), folder.files().len()), (0o700, 0o400, 1));
}

#[test]
fn a_folder_that_others_may_reach_is_refused_with_the_reason() {
    let folder = Folder::new();
    fs::create_dir(&folder.0).unwrap();
    for mode in [0o755, 0o750, 0o707] {
        fs::set_permissions(&folder.0, Permissions::from_mode(mode)).unwrap();
        let reason = Cache::open(&folder.0, BOUND).err().unwrap();
        assert!(reason.contains(&format!("mode {mode:o}")) && reason.contains("with mode 700"), "{reason}");
    }
    let file = folder.0.join("file");
    fs::write(&file, "").unwrap();
    assert!(Cache::open(&file, BOUND).is_err());
}

#[test]
fn a_writer_that_died_leaves_nothing_that_is_believed_and_is_swept_up() {
    let folder = Folder::new();
    let cache = folder.cache(BOUND);
    cache.keep(&key("a"), b"body", b"").unwrap();
    let unfinished = folder.0.join("unfinished-1-2-3.fnhost");
    fs::write(&unfinished, b"half").unwrap();
    let fresh = folder.0.join("unfinished-1-2-4.fnhost");
    fs::write(&fresh, b"half").unwrap();
    let old = SystemTime::now() - Duration::from_secs(7200);
    OpenOptions::new().write(true).open(&unfinished).unwrap().set_modified(old).unwrap();
    let next = folder.cache(BOUND);
    next.keep(&key("b"), b"body", b"").unwrap();
    assert!(!unfinished.exists() && fresh.exists(), "one of them may still have its writer");
    assert_eq!(body(&next, "a").unwrap(), b"body");
}

#[test]
fn what_was_used_longest_ago_goes_first_and_nothing_pinned() {
    let folder = Folder::new();
    let cache = folder.cache(12_000);
    for (number, name) in ["a", "b", "c"].iter().enumerate() {
        cache.keep(&key(name), &[0; 3_000], b"").unwrap();
        let used = SystemTime::now() - Duration::from_secs(100 - number as u64);
        let path = folder.0.join(key(name).to_string());
        fs::File::open(path).unwrap().set_modified(used).unwrap();
    }
    let pin = cache.pin(key("b"));
    assert!(cache.find(&key("a")).unwrap().is_some(), "used now");
    cache.keep(&key("d"), &[0; 3_000], b"").unwrap();
    let there = |name| cache.find(&key(name)).unwrap().is_some();
    assert_eq!(["a", "b", "c", "d"].map(there), [true, true, false, true]);
    drop(pin);
    let total: u64 = folder.files().iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!(total <= 12_000, "{total}");
}

#[test]
fn what_is_none_of_ours_is_never_touched() {
    let folder = Folder::new();
    let cache = folder.cache(1);
    let strangers = ["precious.txt", ".profile", &"0".repeat(64)].map(|name| folder.0.join(name));
    strangers.iter().for_each(|path| fs::write(path, vec![0; 100_000]).unwrap());
    (0..5).for_each(|number| cache.keep(&key(&number.to_string()), &[0; 3_000], b"").unwrap());
    assert!(strangers.iter().all(|path| path.exists()));
}

#[test]
fn many_writers_and_readers_see_whole_files_only() {
    let folder = Folder::new();
    let body = vec![7; 100_000];
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let cache = folder.cache(150_000);
                for round in 0..50 {
                    cache.keep(&key(["a", "b"][round % 2]), &body, b"").unwrap();
                    for name in ["a", "b"] {
                        let found = super::tests::body(&cache, name);
                        assert!(found.is_none_or(|found| found == body));
                    }
                }
            });
        }
    });
}

#[test]
fn what_is_packed_is_unpacked_or_refused() {
    let packed = pack(&key("a"), b"body".to_vec(), b"a");
    let of_note = |note: &[u8]| Some(Key::of("test", &[note]));
    assert_eq!(unpack(&packed, of_note).unwrap(), (&b"body"[..], &b"a"[..]));
    for at in 0..packed.len() {
        let mut wrong = packed.clone();
        wrong[at] ^= 1;
        assert!(unpack(&wrong, of_note).is_err(), "byte {at}");
        assert!(unpack(&packed[..at], of_note).is_err(), "cut at {at}");
    }
    assert!(unpack(&packed, |_| Some(key("b"))).is_err());
}

#[test]
fn a_folder_that_takes_nothing_is_an_error_and_gives_nothing() {
    let folder = Folder::new();
    let cache = folder.cache(BOUND);
    fs::remove_dir(&folder.0).unwrap();
    assert!(cache.keep(&key("a"), b"body", b"").is_err());
    assert!(cache.find(&key("a")).unwrap().is_none());
}

#[test]
fn what_cannot_be_read_now_is_an_error_and_stays() {
    let folder = Folder::new();
    let cache = folder.cache(BOUND);
    cache.keep(&key("a"), b"body", b"").unwrap();
    // As if every descriptor were taken: a name that the system cannot even look up.
    let unread = Unfit::from(std::io::Error::from_raw_os_error(24));
    assert!(matches!(unread, Unfit::Unread(_)));
    assert!(cache.folder.file(&"x".repeat(5_000)).is_err_and(|unfit| matches!(unfit, Unfit::Unread(_))));
    assert_eq!(folder.files().len(), 1);
}
