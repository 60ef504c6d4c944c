//! Every warning, one entry each: its code, what it means, and what to do.

use crate::reason::Reason;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $remedy:literal;)+) => {
        /// What may be wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum WarningKind {
            $($(#[doc = $doc])+ $name,)+
            /// Frames were dropped lately for a reason that is [trouble](Reason::is_trouble).
            Dropped(Reason),
        }

        impl WarningKind {
            /// Those that have a code of their own, in the order in which documents list them; beside them each reason
            /// that is trouble is one, by its label: see [`Self::all`].
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its code in JSON: a word that does not change.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                    Self::Dropped(reason) => reason.label(),
                }
            }

            /// One sentence on what is wrong.
            #[must_use]
            pub fn describe(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+),)+
                    Self::Dropped(reason) => reason.describe(),
                }
                .trim()
            }

            /// What to do.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self {
                    $(Self::$name => $remedy,)+
                    Self::Dropped(reason) => reason.remedy(),
                }
            }
        }
    };
}

kinds! {
    /// An interface is gone, down or without link.
    Link = "link", "set it up, check the cable";
    /// Sync is due, but none came for three of its intervals and at least 2 s.
    NoSync = "no-sync", "check the grandmaster and the path to it";
    /// No master was seen since the start, 10 s ago or more.
    NoMaster = "no-master", "check the link upstream, VLANs and --domain; a master that serves unicast only is silent until \
                             a client asks";
    /// Two masters send Sync in one domain at once.
    TwoGrandmasters = "two-grandmasters", "one of them should give way, or use --grandmaster";
    /// Another gateway joins the same segments, or at least 5 % of the answers are to a second copy of their request.
    SecondPath = "second-path", "only one gateway may forward between the two segments";
    /// This gateway stands by, Sync comes from upstream, and nobody is heard to forward it.
    NobodyForwards = "nobody-forwards", "see why neither gateway is active: keepalived's log on both; `ptpproxy activate` has this \
                                       one forward";
    /// Sync passes, but no client has asked for 30 s.
    NobodyAsks = "nobody-asks", "check the link downstream, its VLANs, and the clients' settings; clients that only listen \
                               need nothing";
    /// Of several interfaces downstream one on which clients have asked is silent for 30 s, while clients ask on another.
    PortSilent = "port-silent", "check the switch and the cables behind it, and its VLANs; if its clients were moved away, this goes \
                               after an hour";
    /// No request was answered since the start, though Sync comes.
    NoAnswers = "no-answers", "the grandmaster answers no Delay_Req: peer delay (P2P)? unicast only? another domain?";
    /// Fewer than 90 % of the requests are answered.
    AnswersMissing = "answers-missing", "lower the clients' rate, or set --max-rate";
    /// Half of the answers take more than 50 ms.
    AnswersSlow = "answers-slow", "the grandmaster is overloaded";
    /// Of some clients fewer than half of the requests are answered.
    ClientsUnanswered = "clients-unanswered", "check those clients and the path to them";
    /// Some clients ask more often than they can be served.
    IntervalShort = "interval-short", "lower their rate, or --jitter-share";
    /// A client asks for the IP address of a station upstream that is not known as a master.
    UnknownMaster = "unknown-master", "if it is a master that is silent until asked, list it: --unicast-master ADDR";
    /// Frames were lost because a receive ring was full.
    RingDrops = "ring-drops", "raise --ring-frames, or lower --sweep";
    /// Frames were lost because a receive ring was full, while the loop was kept from running.
    Starved = "starved", "other programs or the hypervisor have the CPU: give the gateway priority (Nice=, CPUWeight=) or a CPU \
                          of its own (CPUAffinity=), or raise --ring-frames";
    /// The loop did not run when it was to, by more than half of --max-hold.
    LoopLate = "loop-late", "other programs or the hypervisor have the CPU: give the gateway priority (Nice=, CPUWeight=) or a \
                             CPU of its own";
    /// The kernel did not accept frames for sending.
    Unsent = "unsent", "check the link and its queue";
    /// Messages in some senders' names were refused lately for their signature: their share of all in these names.
    SignaturesRefused = "signatures-refused", "if all are: give sender and gateway the same keys; if some are: an end still signs with an \
                                        old key, or somebody else sends in that name";
    /// At least a tenth of an interface's transmit timestamps were missing or late.
    StampsLost = "stamps-lost", "its driver gives none or gives them late, its queue drops frames, or another program switched \
                                 them off: see ptpproxy doctor; --timestamping software does without the hardware";
}

impl WarningKind {
    /// Every one of them: those of [`Self::ALL`], then the reasons that are trouble.
    pub fn all() -> impl Iterator<Item = Self> {
        let reasons = Reason::ALL.iter().copied();
        let reasons = reasons.filter(|reason| reason.is_trouble());
        Self::ALL.iter().copied().chain(reasons.map(Self::Dropped))
    }

    /// Whether the loop logs it itself, at once.
    pub(in crate::control) const fn logged_by_the_loop(self, cause: &str) -> bool {
        match self {
            Self::Link => true,
            Self::SecondPath => cause.is_empty(),
            Self::UnknownMaster => true,
            Self::Dropped(reason) => reason.is_limit() || reason.is_refusal(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_warning_has_a_code_of_its_own_a_meaning_and_a_remedy() {
        let mut codes = HashSet::new();
        for kind in WarningKind::all() {
            assert!(codes.insert(kind.code()), "{} twice", kind.code());
            assert!(kind.describe().ends_with('.') || matches!(kind, WarningKind::Dropped(_)));
            assert!(!kind.describe().is_empty() && !kind.remedy().is_empty());
        }
        assert!(codes.len() > WarningKind::ALL.len());
    }
}
