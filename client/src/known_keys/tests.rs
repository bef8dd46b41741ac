use super::*;
use crate::crypt::Identity;

fn recipient() -> Recipient {
    Identity::generate().recipient()
}

#[tokio::test]
async fn the_first_key_stays_until_a_person_says_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let known = KnownKeys::at(&folder.path().join("known").join("a.json"));
    let (alice, bob) = (Address::new_id(1001), Address::new_id(1002));
    let (first, second, of_bob) = (recipient(), recipient(), recipient());
    assert_eq!(known.meet(&[(alice, &first)], Prefix::Testnet).await.unwrap(), [true]);
    assert_eq!(known.meet(&[(bob, &of_bob), (alice, &first)], Prefix::Testnet).await.unwrap(), [true, false]);

    let stranger = Address::new_id(1003);
    let outcome = known.meet(&[(stranger, &of_bob), (alice, &second)], Prefix::Testnet).await;
    let told = outcome.unwrap_err().to_string();
    assert!(told.contains(&format!("bauta key trust t01001 {second}")) && told.contains(&first.to_string()), "{told}");
    assert_eq!(known.list().unwrap().len(), 2, "nothing is written down when one is refused");

    assert_eq!(known.trust(&alice, &second).await.unwrap(), Some(first.to_string()));
    assert_eq!(known.trust(&alice, &second).await.unwrap(), None);
    assert_eq!(known.meet(&[(alice, &second)], Prefix::Mainnet).await.unwrap(), [false]);
    let outcome = known.meet(&[(alice, &first)], Prefix::Mainnet).await;
    assert!(matches!(outcome, Err(KnownKeyError::Changed { who, .. }) if who == "f01001"));
}

#[tokio::test]
async fn a_key_shown_twice_at_once_for_one_address_has_to_be_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let known = KnownKeys::at(&folder.path().join("a.json"));
    let alice = Address::new_id(1001);
    let (one, other) = (recipient(), recipient());
    assert!(known.meet(&[(alice, &one), (alice, &other)], Prefix::Testnet).await.is_err());
    assert_eq!(known.meet(&[(alice, &other), (alice, &other)], Prefix::Testnet).await.unwrap(), [true, false]);
}

#[tokio::test]
async fn a_file_that_is_none_of_ours_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.json");
    let known = KnownKeys::at(&file);
    for text in ["", "[]", "{\"f01\": 7}", "{\"f01\": \"age1", "\u{0}"] {
        replace_private(&file, text.as_bytes()).unwrap();
        let outcome = known.meet(&[(Address::new_id(1), &recipient())], Prefix::Testnet).await;
        assert!(matches!(outcome, Err(KnownKeyError::Damaged { .. })), "{text}: {outcome:?}");
        assert!(known.trust(&Address::new_id(1), &recipient()).await.is_err());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    }
    for text in ["{\"nobody\": \"age1\"}", "{\"f01\": \"age1nonsense\"}"] {
        replace_private(&file, text.as_bytes()).unwrap();
        assert!(matches!(known.list(), Err(KnownKeyError::Damaged { .. })), "{text}");
    }
    #[cfg(unix)]
    {
        replace_private(&file, b"{}").unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        let outcome = known.meet(&[(Address::new_id(1), &recipient())], Prefix::Testnet).await;
        assert!(matches!(outcome, Err(KnownKeyError::File(FileError::TooOpen { .. }))));
    }
}
