use super::*;

mod remote;
mod server;

fn piece(bytes: &[u8]) -> PieceInfo {
    let mut comm_p = CommP::new();
    comm_p.update(bytes).unwrap();
    comm_p.finish()
}

#[tokio::test]
async fn a_file_of_ours_is_checked_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let (from, out) = (folder.path().join("a.car"), folder.path().join("b.car"));
    std::fs::write(&from, [7u8; 1000]).unwrap();
    let sources = [Source::Here(from.clone())];
    assert!(fetch(&piece(&[7u8; 1000]), &sources, &out, &Quiet).await.is_ok());
    assert_eq!(std::fs::read(&out).unwrap(), [7u8; 1000]);

    std::fs::remove_file(&out).unwrap();
    let error = fetch(&piece(&[8u8; 1000]), &sources, &out, &Quiet).await.unwrap_err();
    assert!(matches!(&error, FetchError::Corrupt(_)) && error.to_string().contains("a.car"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
}

#[tokio::test]
async fn nobody_known_and_nobody_there_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    assert!(matches!(fetch(&piece(b"x"), &[], &out, &Quiet).await, Err(FetchError::NoSource)));
    let (gone, _held) = server::dead();
    let sources = [gone];
    assert!(matches!(fetch(&piece(b"x"), &sources, &out, &Quiet).await, Err(FetchError::Unavailable(_))));
}
