//! What a reply amounts to, as CoreDNS sorts them.

use chain::Exchange;
use wire::{Opcode, Rcode, RecordType};

/// What a reply says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ReplyKind {
    /// What was asked for, or nothing without a word about it.
    Success,
    /// Who else to ask.
    Delegation,
    /// The name has no record of this type.
    NoData,
    /// There is no such name.
    NoName,
    /// SERVFAIL or NOTIMP.
    ServerError,
    /// To a notification or a transfer.
    Meta,
    /// Anything else, and silence.
    OtherError,
}

/// What an operator would call it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ReplyClass {
    /// An answer, or a delegation.
    Success,
    /// No such name, or no such type.
    Denial,
    /// Everything else.
    Error,
}

impl ReplyKind {
    /// What the reply of `x` amounts to.
    pub(crate) fn of(x: &Exchange) -> Self {
        if x.is_dropped() {
            return Self::OtherError;
        }
        if x.request.opcode != Opcode::QUERY || x.question.rtype.is_transfer() {
            return Self::Meta;
        }
        let body = &x.reply.body;
        let authority = |rtype| body.authority.iter().any(|record| record.rtype == rtype);
        match x.reply.rcode {
            Rcode::NOERROR if !body.answer.is_empty() => Self::Success,
            // RFC 2308 §2.2: a denial of a type comes with an SOA record, a delegation without.
            Rcode::NOERROR if authority(RecordType::SOA) => Self::NoData,
            Rcode::NOERROR if authority(RecordType::NS) => Self::Delegation,
            Rcode::NOERROR => Self::Success,
            // CoreDNS: a chain of CNAMEs to a name that is not there is an error, and no denial.
            Rcode::NXDOMAIN if body.answer.is_empty() => Self::NoName,
            Rcode::SERVFAIL | Rcode::NOTIMP if body.answer.is_empty() => Self::ServerError,
            _ => Self::OtherError,
        }
    }

    /// What an operator would call it.
    pub(crate) fn class(self) -> ReplyClass {
        match self {
            Self::Success | Self::Delegation => ReplyClass::Success,
            Self::NoData | Self::NoName => ReplyClass::Denial,
            Self::ServerError | Self::Meta | Self::OtherError => ReplyClass::Error,
        }
    }

    /// The word for it in CoreDNS's metadata.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Success => "NOERROR",
            Self::Delegation => "DELEGATION",
            Self::NoData => "NODATA",
            Self::NoName => "NXDOMAIN",
            Self::ServerError => "SERVERERROR",
            Self::Meta => "META",
            Self::OtherError => "OTHERERROR",
        }
    }
}

impl ReplyClass {
    /// The word for it in the Corefile.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Denial => "denial",
            Self::Error => "error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Rig;

    #[test]
    fn replies_are_sorted_as_in_coredns() {
        for (reply, kind) in [
            ("answer a A 192.0.2.1", ReplyKind::Success),
            ("", ReplyKind::Success),
            ("authority test NS ns.test", ReplyKind::Delegation),
            ("authority test SOA ns.test", ReplyKind::NoData),
            ("authority test NS ns.test\n authority test SOA ns.test", ReplyKind::NoData),
            ("answer a CNAME b\n authority test SOA ns.test", ReplyKind::Success),
            ("rcode NXDOMAIN", ReplyKind::NoName),
            ("answer a CNAME b\n rcode NXDOMAIN", ReplyKind::OtherError),
            ("rcode SERVFAIL", ReplyKind::ServerError),
            ("rcode NOTIMP", ReplyKind::ServerError),
            ("rcode REFUSED", ReplyKind::OtherError),
            ("drop", ReplyKind::OtherError),
        ] {
            let rig = Rig::new(&format!("test {{\n canned {{\n {reply}\n }}\n}}"));
            assert_eq!(ReplyKind::of(&rig.ask("a.test A")), kind, "{reply}");
        }
        let rig = Rig::new("test {\n canned\n}");
        assert_eq!(ReplyKind::of(&rig.ask("test AXFR")), ReplyKind::Meta);
    }
}
