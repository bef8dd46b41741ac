//! Addresses as text. A letter has to be chosen when they are printed, and serde carries no context: it is a value of this thread, set for
//! the time of one encoding by [`with_prefix`].

use std::cell::Cell;

use crate::address::Prefix;

thread_local! {
    static PREFIX: Cell<Prefix> = const { Cell::new(Prefix::Testnet) };
}

/// Runs an encoding in which addresses begin with this prefix's letter; outside of it they begin with `t`.
pub fn with_prefix<T>(prefix: Prefix, encode: impl FnOnce() -> T) -> T {
    struct Restore(Prefix);
    impl Drop for Restore {
        fn drop(&mut self) {
            PREFIX.set(self.0);
        }
    }
    let _restore = Restore(PREFIX.replace(prefix));
    encode()
}

fn show(address: &fvm_shared::address::Address) -> String {
    PREFIX.get().show(address)
}

/// An address.
#[allow(clippy::module_inception)] // the form is called what it is a form of
pub mod address {
    use fvm_shared::address::Address;
    use serde::{Deserialize, Deserializer, Serializer, de};

    /// Writes `t0100`, or what [`with_prefix`](super::with_prefix) says.
    pub fn serialize<S: Serializer>(address: &Address, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::show(address))
    }

    /// Reads either letter.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        crate::address::parse(&text).map_err(de::Error::custom)
    }
}

/// An address or `null`; Go's empty address `"<empty>"` and `""` are read as none.
pub mod address_option {
    use fvm_shared::address::Address;
    use serde::{Deserialize, Deserializer, Serializer, de};

    /// Writes the address or `null`.
    pub fn serialize<S: Serializer>(address: &Option<Address>, serializer: S) -> Result<S::Ok, S::Error> {
        match address {
            Some(address) => serializer.serialize_str(&super::show(address)),
            None => serializer.serialize_none(),
        }
    }

    /// Reads an address or one of the ways of saying none.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Address>, D::Error> {
        match Option::<String>::deserialize(deserializer)?.as_deref() {
            None | Some("" | "<empty>") => Ok(None),
            Some(text) => crate::address::parse(text).map(Some).map_err(de::Error::custom),
        }
    }
}

/// A list of addresses; `null` is an empty one.
pub mod address_list {
    use fvm_shared::address::Address;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::super::AddressJson;

    /// Writes an array.
    pub fn serialize<S: Serializer>(list: &[Address], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(list.iter().copied().map(AddressJson))
    }

    /// Reads an array or `null`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Address>, D::Error> {
        let list = Option::<Vec<AddressJson>>::deserialize(deserializer)?.unwrap_or_default();
        Ok(list.into_iter().map(|item| item.0).collect())
    }
}
