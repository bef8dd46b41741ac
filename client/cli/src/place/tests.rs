use super::*;
use std::io::Write;

#[test]
fn names_are_made_safe() {
    for (name, safe) in [
        ("photo.jpg", "photo.jpg"),
        ("../../etc/passwd", "passwd"),
        ("a\\b\\c.txt", "c.txt"),
        ("..", "file-7"),
        (".bashrc", "bashrc"),
        ("-rf", "rf"),
        ("x\n\u{1b}[31my", "x[31my"),
        ("", "file-7"),
        ("/", "file-7"),
    ] {
        assert_eq!(safe_name(name, "file-7"), safe);
    }
    assert!(safe_name(&"å".repeat(300), "x").len() <= 200);
}

#[test]
fn nothing_is_overwritten_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let place = Place::free(&path, false).unwrap();
    let mut file = place.file(0o666).unwrap();
    file.write_all(b"new").unwrap();
    fs::write(&path, b"came in between").unwrap();
    assert!(place.publish(file).is_err());
    assert_eq!(fs::read(&path).unwrap(), b"came in between");
    assert!(Place::free(&path, false).is_err());
    let place = Place::free(&path, true).unwrap();
    let mut file = place.file(0o666).unwrap();
    file.write_all(b"forced").unwrap();
    place.publish(file).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"forced");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_file_never_takes_the_place_of_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("precious");
    fs::create_dir_all(path.join("deep")).unwrap();
    let place = Place::free(&path, true).unwrap();
    assert!(place.suits(Made::File).is_err() && place.suits(Made::Folder).is_ok());
    let made = place.folder().unwrap();
    fs::write(made.path().join("precious"), b"a file").unwrap();
    assert!(place.adopt(&made.path().join("precious")).is_err());
    assert!(path.join("deep").is_dir());
    let other = folder.path().join("a-file");
    fs::write(&other, b"").unwrap();
    assert!(Place::free(&other, true).unwrap().suits(Made::Folder).is_err());
}

#[test]
fn what_came_in_between_stays() {
    let folder = tempfile::tempdir().unwrap();
    for is_file in [true, false] {
        let path = folder.path().join("out");
        let place = Place::free(&path, false).unwrap();
        let made = place.folder().unwrap();
        let inside = made.path().join("out");
        if is_file {
            fs::write(&inside, b"new").unwrap()
        } else {
            fs::create_dir(&inside).unwrap()
        }
        if is_file {
            fs::write(&path, b"came").unwrap()
        } else {
            fs::create_dir(&path).unwrap()
        }
        let error = place.adopt(&inside).unwrap_err().to_string();
        assert!(error.contains("exists"), "{error}");
        if is_file {
            assert_eq!(fs::read(&path).unwrap(), b"came");
            fs::remove_file(&path).unwrap();
            place.adopt(&inside).unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"new");
            fs::remove_file(&path).unwrap();
        }
    }
}

#[test]
fn what_a_killed_process_left_is_removed_and_what_another_one_makes_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let place = || Place::free(&folder.path().join("out"), false).unwrap().beside_unless_held("job");
    let first = place().folder().unwrap();
    fs::write(first.path().join("half"), b"").unwrap();
    assert!(first.path().ends_with(".bauta-job"));
    // Another one at the same time has a name of its own.
    let second = place().folder().unwrap();
    assert!(first.path().join("half").exists() && !second.path().ends_with(".bauta-job"));
    // Killed: the folder stays, and nobody holds it.
    let Beside { folder: left, _held: held } = first;
    let left = left.keep();
    drop((held, second));
    let third = place().folder().unwrap();
    assert_eq!(third.path(), left);
    assert!(!left.join("half").exists());
}

#[test]
fn a_file_of_a_killed_process_is_removed_and_that_of_another_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::free(&folder.path().join("out"), false).unwrap();
    let mut first = place.file_again(0o666).unwrap();
    first.write_all(b"half").unwrap();
    let second = place.file_again(0o666).unwrap();
    assert_ne!(first.path(), second.path());
    assert_eq!(fs::read(first.path()).unwrap(), b"half");
    // Killed: the file stays, and nobody holds it.
    let (file, left) = first.keep().unwrap();
    drop((file, second));
    let third = place.file_again(0o666).unwrap();
    assert_eq!((third.path(), fs::read(&left).unwrap()), (&*left, Vec::new()));
    place.publish(third).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    // What is no file of ours is left alone.
    std::os::unix::fs::symlink("out", &left).unwrap();
    assert_ne!(place.file_again(0o666).unwrap().path(), left);
    assert!(left.is_symlink() && folder.path().join("out").exists());
}

#[test]
fn a_folder_replaces_another_one_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tree");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("old"), b"").unwrap();
    let place = Place::free(&path, true).unwrap();
    let made = place.folder().unwrap();
    fs::create_dir(made.path().join("tree")).unwrap();
    fs::write(made.path().join("tree/new"), b"").unwrap();
    place.adopt(&made.path().join("tree")).unwrap();
    drop(made);
    assert!(path.join("new").exists() && !path.join("old").exists());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
