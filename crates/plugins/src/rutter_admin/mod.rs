//! `rutter_admin`: where operators ask the running server about itself. It answers no question; the
//! process does the listening.
//!
//! [`Address`] is also what commands are given that ask such a server.

mod address;

pub use address::Address;

use crate::directive::{Built, Directive};
use crate::env::{Admin, Env};
use corefile::{Accepted, Block, Code, Mistake, Mistakes, Property, Repeats, Span, Syntax};
use std::net::{Ipv4Addr, SocketAddr};

/// The port beside that of CoreDNS's metrics (9153), which no manifest uses.
const PORT: u16 = 9154;

/// Where the server is asked if the Corefile names no other place.
pub const DEFAULT: Address =
    Address::Tcp(SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), PORT));

/// The directive.
pub(crate) struct RutterAdmin;

/// Where, and where that is written.
pub(crate) struct Config {
    address: Address,
    at: Option<Span>,
}

const SYNTAX: Syntax<Config> = Syntax {
    directive: Property {
        name: "rutter_admin",
        usage: "rutter_admin [unix:PATH|ADDRESS:PORT]",
        default: "127.0.0.1:9154",
        doc: "Tells over HTTP, on this machine alone, what the server does and why.",
        repeats: Repeats::Never,
        read: |config, args| {
            config.at = Some(args.at());
            if let Some(address) = args.optional(address::address())? {
                config.address = address;
            }
            Ok(())
        },
    },
    properties: &[],
    otherwise: None,
};

impl Directive for RutterAdmin {
    const NAME: &'static str = "rutter_admin";
    type Config = Config;

    fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
        let mut config = Config { address: DEFAULT, at: None };
        SYNTAX.read(block, &mut config).accept(config)
    }

    fn build(config: Config, env: &mut Env<'_>) -> Built {
        let Config { address, at: Some(at) } = config else { return Ok(None) };
        let address = match address {
            Address::Unix(path) => Address::Unix(env.root.join(path)),
            address @ Address::Tcp(_) => address,
        };
        if let Some(first) = &env.parts.admin {
            let message = "`rutter_admin` may be given only once: it is about the whole server";
            let mistake = Mistake::error(Code::Conflict, at, message).label("once more");
            let mut mistakes = Mistakes::new();
            mistakes.push(mistake.related(first.at, "given here before"));
            return Err(mistakes);
        }
        env.parts.admin = Some(Admin { address, at });
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Rig, mistakes};

    fn address(corefile: &str) -> Option<Address> {
        let rig = Rig::new(corefile);
        rig.assembly().parts.admin.as_ref().map(|admin| admin.address.clone())
    }

    #[test]
    fn where_it_is_asked() {
        assert_eq!(address(". {\n whoami\n}"), None);
        assert_eq!(address(". {\n rutter_admin\n whoami\n}"), Some(DEFAULT));
        let loopback = address(". {\n rutter_admin [::1]:99\n}").unwrap();
        assert_eq!(loopback.to_string(), "[::1]:99");
        let socket = address(". {\n root /run\n rutter_admin unix:admin.sock\n}").unwrap();
        assert_eq!(socket.to_string(), "unix:/run/admin.sock");
    }

    #[test]
    fn once_in_the_whole_corefile() {
        for twice in [
            ". {\n rutter_admin\n rutter_admin 127.0.0.1:1\n}",
            "a.test {\n rutter_admin\n}\nb.test {\n rutter_admin\n}",
        ] {
            let found = mistakes(twice);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].contains("may be given only once"), "{found:?}");
        }
    }

    #[test]
    fn nobody_from_outside() {
        let reason = "it tells everybody who can reach it";
        for (word, expected) in [
            ("0.0.0.0:9154", reason),
            (":9154", "an address of this machine"),
            ("9154", "an address of this machine"),
            ("10.0.0.1:9154", reason),
            ("localhost:9154", "an address of this machine"),
            ("unix:", "a path"),
        ] {
            let found = mistakes(&format!(". {{\n rutter_admin {word}\n}}"));
            assert!(found[0].contains(expected), "{word}: {found:?}");
        }
    }
}
