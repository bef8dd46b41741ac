//! Deals of the built-in market by the binary: asked for, paid, active, claimed by, and the rest of the money taken back.
#![allow(missing_docs)]

mod support;

use support::{Net, User, noise};

#[test]
fn a_deal_is_paid_from_the_market_and_earns_a_bounty() {
    let net = Net::start(&["--providers", "2"]);
    let alice = User::on(&net);
    alice.ok(&["init"]);
    alice.write("file", &noise(200_000));
    let (first, second) = (net.provider(0), net.provider(1));
    for provider in [&first, &second] {
        alice.ok(&["devnet", "provider", provider, "--hunting", "off"]);
    }
    alice.ok(&["put", "file", "--provider", &first]);

    let asked = alice.ok(&["market", "ask", &second]);
    assert_eq!(asked["price_per_gib_epoch"], "50000000");
    // Where it is reached can be said.
    let url = asked["url"].as_str().unwrap();
    assert_eq!(alice.ok(&["market", "ask", &format!("{second}={url}")])["provider"], second.as_str());
    alice.fails(5, &["market", "ask", &format!("{second}=http://127.0.0.1:1")]);
    alice.fails(2, &["market", "ask", &format!("{second}=ftp://x")]);
    // The first provider's URL with the second's address: it does not ask for others.
    let elsewhere = alice.ok(&["market", "ask", &first])["url"].as_str().unwrap().to_string();
    alice.fails(1, &["market", "ask", &format!("{second}={elsewhere}")]);

    assert_eq!(alice.ok(&["market", "balance"])["escrow"], "0");
    alice.fails(8, &["market", "withdraw"]);
    alice.fails(4, &["market", "show", "0"]);
    alice.fails(4, &["market", "deal", "9", "--provider", &second]);
    let dear = alice.fails(8, &["market", "deal", "1", "--provider", &second, "--limit", "1attoFIL"]);
    assert!(dear.contains("at most"), "{dear}");
    alice.fails(1, &["market", "deal", "1", "--provider", &second, "--price", "1attoFIL"]);
    assert_eq!(alice.ok(&["market", "balance"])["escrow"], "0", "what is refused costs nothing");

    let dealt = alice.ok(&["market", "deal", "1", "--provider", &second, "--duration", "200d"]);
    assert_eq!((&dealt["state"], &dealt["deposited"]), (&"active".into(), &dealt["cost"]));
    let deal = dealt["deal_id"].as_u64().unwrap().to_string();
    let shown = alice.ok(&["market", "show", &deal]);
    assert_eq!((&shown["state"], &shown["provider"]), (&"active".into(), &second.as_str().into()));
    // The same command is the same deal.
    let again = alice.ok(&["market", "deal", "1", "--provider", &second, "--duration", "200d"]);
    assert_eq!((&again["deal_id"], &again["id"], &again["deposited"]), (&dealt["deal_id"], &dealt["id"], &"0".into()));

    // The pull claim: by the deal, not by a notification.
    let bounty =
        ["bounty", "create", "1", "--reward", "2", "--replicas", "1", "--duration", "180d", "--deadline", "30d"];
    alice.ok(&bounty);
    alice.fails(4, &["bounty", "claim", "1", "--deal", "7"]);
    let claimed = alice.ok(&["bounty", "claim", "1", "--deal", &deal]);
    assert_eq!(claimed["bounty"]["claims"], 1);
    let claims = alice.ok(&["bounty", "claims", "1"]);
    assert_eq!(claims["claims"][0]["provider"], second.as_str());

    // Money that no deal binds comes back.
    alice.ok(&["market", "deposit", "3"]);
    let taken = alice.ok(&["market", "withdraw"]);
    assert_eq!((&taken["moved"], &taken["available"]), (&"3000000000000000000".into(), &"0".into()));
    alice.ok(&["devnet", "check"]);
}
