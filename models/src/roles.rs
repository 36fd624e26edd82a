//! The operator's word on who is champion, who a shadow and who is disabled: `roles.toml` beside the cards.
//!
//! The zoo is in the binary, so its cards cannot be edited; and a card says what a model is, while its role is what somebody
//! decided about it. The predecessor kept two flags a model and served what was neither (incident 82). Here a market has one
//! line for its champion, so two cannot be written; a system stands in one list or the file is refused.
//!
//! ```toml
//! format = 1
//!
//! [markets.points]
//! champion = "catboost_v2"
//! shadows = []
//! disabled = ["xgb_v2_noveg"]
//! ```
//!
//! Promised: a market that the file names has the champion it names, or none: what a card says about being champion does
//! not count there, so that nobody moves up because somebody else was taken down. Systems that the file does not name keep
//! the role of their card. A market that the file does not name is as the cards say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use proto::{Market, Role, SystemId};
use serde::Deserialize;
use thiserror::Error;

/// Name of the file in the folder of cards.
pub const ROLES_FILE: &str = "roles.toml";

/// Largest file that is read: some ten thousand names.
pub(crate) const MAX_ROLES_BYTES: usize = 1 << 20;

/// Roles by market.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles {
    markets: BTreeMap<Market, MarketRoles>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MarketRoles {
    champion: Option<SystemId>,
    shadows: BTreeSet<SystemId>,
    disabled: BTreeSet<SystemId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRoles {
    format: u32,
    #[serde(default)]
    markets: BTreeMap<Market, MarketRoles>,
}

/// Why a file of roles is refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RolesError {
    /// It is no TOML, or not of this shape.
    #[error("the roles are not readable: {reason}")]
    Toml {
        /// What the parser says.
        reason: String,
    },
    /// It is of another format.
    #[error("the roles have format {format}, this program reads format 1")]
    Format {
        /// What the file says.
        format: u32,
    },
    /// One system in two roles.
    #[error("{system} is named twice for {market}: a system has one role, take one of the two out")]
    Twice {
        /// The system.
        system: SystemId,
        /// The market.
        market: Market,
    },
}

impl Roles {
    /// Reads and checks the text of a file.
    pub fn parse(text: &str) -> Result<Roles, RolesError> {
        let raw: RawRoles = toml::from_str(text).map_err(|error| RolesError::Toml {
            reason: error.message().split_whitespace().collect::<Vec<_>>().join(" "),
        })?;
        if raw.format != 1 {
            return Err(RolesError::Format { format: raw.format });
        }
        for (market, roles) in &raw.markets {
            let mut seen = BTreeSet::new();
            let named = roles.champion.iter().chain(&roles.shadows).chain(&roles.disabled);
            if let Some(system) = named.into_iter().find(|system| !seen.insert(*system)) {
                return Err(RolesError::Twice { system: system.clone(), market: market.clone() });
            }
        }
        Ok(Roles { markets: raw.markets })
    }

    /// The file's text; [`Roles::parse`] gives the same roles back.
    pub fn to_toml(&self) -> String {
        let list = |systems: &BTreeSet<SystemId>| {
            systems.iter().map(|system| format!("\"{system}\"")).collect::<Vec<_>>().join(", ")
        };
        let mut text =
            "# Written by `tipoff models promote` and `disable`. A market has one champion or none;\n\
                        # systems that are not named keep the role of their card.\nformat = 1\n"
                .to_owned();
        for (market, roles) in &self.markets {
            // Writing to a String cannot fail; names hold nothing that TOML would read otherwise.
            let _ = writeln!(text, "\n[markets.{market}]");
            if let Some(champion) = &roles.champion {
                let _ = writeln!(text, "champion = \"{champion}\"");
            }
            let _ = writeln!(text, "shadows = [{}]", list(&roles.shadows));
            let _ = writeln!(text, "disabled = [{}]", list(&roles.disabled));
        }
        text
    }

    /// The role of a system whose card says `of_card`.
    pub fn role_of(&self, system: &SystemId, market: &Market, of_card: Role) -> Role {
        let Some(roles) = self.markets.get(market) else { return of_card };
        if roles.champion.as_ref() == Some(system) {
            Role::Champion
        } else if roles.disabled.contains(system) {
            Role::Disabled
        } else if roles.shadows.contains(system) || of_card == Role::Champion {
            Role::Shadow
        } else {
            of_card
        }
    }

    /// True when the file says who is champion of a market, or that nobody is.
    pub fn names(&self, market: &Market) -> bool {
        self.markets.contains_key(market)
    }

    /// Everybody the file names.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&Market, &SystemId)> {
        self.markets.iter().flat_map(|(market, roles)| {
            let named = roles.champion.iter().chain(&roles.shadows).chain(&roles.disabled);
            named.map(move |system| (market, system))
        })
    }

    /// The same roles but for one system. `champion_now` is who is champion of the market today by cards and file
    /// together: written down, so that the file's first word about a market changes nothing else. A champion that is
    /// replaced goes on as a shadow.
    #[must_use]
    pub fn with(
        mut self,
        system: &SystemId,
        market: &Market,
        role: Role,
        champion_now: Option<&SystemId>,
    ) -> Roles {
        let roles = self.markets.entry(market.clone()).or_default();
        roles.champion = champion_now.cloned();
        if roles.champion.as_ref() == Some(system) {
            roles.champion = None;
        }
        roles.shadows.remove(system);
        roles.disabled.remove(system);
        match role {
            Role::Champion => {
                let before = roles.champion.replace(system.clone());
                roles.shadows.extend(before);
            }
            Role::Shadow => drop(roles.shadows.insert(system.clone())),
            Role::Disabled => drop(roles.disabled.insert(system.clone())),
        }
        // Whoever is champion stands nowhere else, also in a file that a person wrote.
        if let Some(champion) = &roles.champion {
            roles.shadows.remove(champion);
            roles.disabled.remove(champion);
        }
        self
    }
}
