use super::*;
use anyhow::Context as _;

#[test]
fn the_numbers_are_the_contract() {
    use Exit::*;
    let all =
        [Done, Failed, Usage, Partly, NotFound, Network, NoAccess, Corrupt, Funds, Unconfirmed, NoRoom, Interrupted];
    assert_eq!(all.map(Exit::code), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 130]);
}

#[test]
fn a_code_is_found_under_any_context() {
    let error = anyhow::Error::new(AccessError::NoSuchFile(7)).context("while testing");
    assert_eq!(exit_of(&error), Exit::NotFound);
    let unreachable = AccessError::from(NodeError::Unreachable("refused".into()));
    let unreachable = Err::<(), _>(unreachable).context("ls").unwrap_err();
    assert_eq!(exit_of(&unreachable), Exit::Network);
    assert_eq!(exit_of(&anyhow::anyhow!("anything")), Exit::Failed);
    let funds = SendError::Funds { have: Default::default(), need: Default::default() };
    assert_eq!(exit_of(&ActorError::from(funds).into()), Exit::Funds);
    assert_eq!(exit_of(&io::Error::from(io::ErrorKind::Interrupted).into()), Exit::Interrupted);
}

#[test]
fn a_sentence_says_a_thing_once() {
    let error = anyhow::Error::new(AccessError::from(NodeError::Unreachable("refused".into()))).context("ls");
    assert_eq!(sentence(&error), "ls: the node was not reached: refused");
}
