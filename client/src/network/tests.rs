use serde_json::json;

use super::*;
use crate::node::json::tests::FILES;
use crate::vectors;

#[test]
fn what_may_be_a_token_is_not_repeated() {
    for info in ["hunter2:http://127.0.0.1:1234", "HUNTER://x", "hunters://x"] {
        let error = Endpoint::from_api_info(info).unwrap_err().to_string();
        assert!(!error.to_lowercase().contains("hunter"), "{error}");
    }
}

#[test]
fn which_machine_a_url_names() {
    for (url, socket, here) in [
        ("http://127.0.0.1:1234/rpc/v1", ("127.0.0.1", 1234), true),
        ("http://localhost", ("localhost", 80), true),
        ("http://[::1]:5", ("::1", 5), true),
        ("https://user:pass@node.example/rpc/v1", ("node.example", 443), false),
        ("http://10.0.0.5:1234", ("10.0.0.5", 1234), false),
        ("http://localhost.example:1", ("localhost.example", 1), false),
    ] {
        let endpoint = Endpoint::from_url(url).unwrap();
        assert_eq!(endpoint.socket(), Some((socket.0.to_string(), socket.1)), "{url}");
        assert_eq!(endpoint.is_on_this_machine(), here, "{url}");
    }
}

#[test]
fn endpoints() {
    for case in vectors::walk("rpc", &FILES).remove("endpoints.json").expect("walked") {
        let endpoint = match case.value["info"].as_str() {
            Some(info) => Endpoint::from_api_info(info),
            None => Endpoint::from_url(case.text("url")),
        };
        case.check(endpoint.map(|endpoint| json!({"url": endpoint.url(), "token": endpoint.token()})));
    }
}

#[test]
fn a_token_is_never_printed() {
    let endpoint = Endpoint::from_api_info("aaaa.bbbb.cccc:/ip4/127.0.0.1/tcp/1234/http").expect("as Lotus writes it");
    assert_eq!(endpoint.token(), Some("aaaa.bbbb.cccc"));
    assert!(!format!("{endpoint:?}").contains("bbbb"));
    for bad in ["aaaa.bbbb.cccc:/ip4/127.0.0.1", "aaaa.bbbb.cccc:ftp://x", "aaaa.bbbb.cccc:"] {
        let error = Endpoint::from_api_info(bad).expect_err("no endpoint");
        assert!(!format!("{error} {error:?}").contains("bbbb"), "{error:?}");
    }
}

#[test]
fn names() {
    for (text, network) in [
        ("local", Network::Local),
        ("calibration", Network::Calibration),
        ("calibrationnet", Network::Calibration),
        ("mainnet", Network::Mainnet),
    ] {
        assert_eq!(Network::from_name(text), Ok(network));
    }
    let custom = Network::from_name("office-2").expect("a name");
    assert_eq!(
        (custom.name(), custom.node_name(), custom.chain_id(), custom.default_url()),
        ("office-2", None, None, None)
    );
    let long = "a".repeat(33);
    for bad in ["", "Local", "my net", "../etc", "a/b", "-a", "_a", "ä", "a.b", long.as_str()] {
        assert_eq!(Network::from_name(bad), Err(NetworkNameError(bad.to_string())), "{bad}");
    }
}

#[test]
fn what_networks_are() {
    let address = Address::new_id(5);
    for (network, node_name, chain_id, shown) in [
        (Network::Local, "bauta-local", 31_415_926, "t05"),
        (Network::Calibration, "calibrationnet", 314_159, "t05"),
        (Network::Mainnet, "mainnet", 314, "f05"),
    ] {
        assert_eq!(network.node_name(), Some(node_name));
        assert_eq!(network.chain_id(), Some(chain_id));
        assert_eq!(network.show(&address), shown);
        assert_eq!(Network::from_name(network.name()), Ok(network.clone()));
        assert_eq!(network.is_real_money(), network == Network::Mainnet);
        Endpoint::from_url(network.default_url().expect("a public or local node")).expect("a URL");
    }
}
