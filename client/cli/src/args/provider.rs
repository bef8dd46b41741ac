//! A provider on the command line: `t01000`, or `t01000=https://sp.example.org`.

use std::str::FromStr;

use bauta_client::address::AnyAddress;

/// A provider: its miner actor, and where it is reached.
#[derive(Debug, Clone)]
pub struct ProviderArg {
    /// The miner actor.
    pub miner: AnyAddress,
    /// Its URL; the chain is asked for it where it is not given.
    pub url: Option<String>,
}

impl FromStr for ProviderArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (miner, url) = match text.split_once('=') {
            None => (text, None),
            Some((miner, url)) => (miner, Some(url)),
        };
        let miner = miner.parse::<AnyAddress>().map_err(|e| e.to_string())?;
        if let Some(url) = url
            && !["http://", "https://"]
                .iter()
                .any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()))
        {
            return Err(format!("`{url}` is no address of a provider: it begins with https:// or http://"));
        }
        Ok(Self { miner, url: url.map(|url| url.trim_end_matches('/').to_string()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers() {
        let read = |text: &str| text.parse::<ProviderArg>();
        assert!(read("t01000").unwrap().url.is_none());
        assert_eq!(read("f01000=https://sp.example.org/").unwrap().url.as_deref(), Some("https://sp.example.org"));
        assert_eq!(read("f01000=http://h/?a=b").unwrap().url.as_deref(), Some("http://h/?a=b"));
        for bad in ["", "=https://h", "t01000=", "t01000=h", "t01000=ftp://h", "t01000=https://", "x=https://h"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
