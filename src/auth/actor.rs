//! Who is acting, for which organisation, with which rights.
//!
//! A handler states its actor in its signature: [`Acting<CanBuy>`](Acting) can't be built by anyone
//! without that right, so a check can't be forgotten.

use std::marker::PhantomData;

use entity::{
    ids::{AccountId, ApiKeyId, GrantId, OrgId},
    states::{ProviderKind, Role},
};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What a role or an API key allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// See what the organisation has.
    Read,
    /// Keep listings, revisions, licences and offers; approve buyers.
    Catalogue,
    /// Order, pay, download.
    Buy,
    /// See and move the organisation's money.
    Finance,
    /// Keep members, invitations and API keys.
    Members,
}

impl Right {
    /// Every right, in the order of declaration.
    pub const ALL: [Self; 5] = [Self::Read, Self::Catalogue, Self::Buy, Self::Finance, Self::Members];

    /// The rights of a member with `role`.
    pub fn of(role: Role) -> Vec<Self> {
        Self::ALL.into_iter().filter(|right| right.allowed_to(role)).collect()
    }

    /// True when a member with `role` has this right.
    pub const fn allowed_to(self, role: Role) -> bool {
        match (self, role) {
            (_, Role::Owner) | (Self::Read, _) => true,
            (Self::Catalogue, role) => matches!(role, Role::Editor),
            (Self::Buy, role) => matches!(role, Role::Buyer),
            (Self::Finance, role) => matches!(role, Role::Finance),
            (Self::Members, _) => false,
        }
    }
}

/// The organisation acted for, as far as decisions need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActingOrg {
    /// Its id.
    pub id: OrgId,
    /// May list data.
    pub may_provide: bool,
    /// May order.
    pub may_buy: bool,
    /// Runs the exchange.
    pub may_operate: bool,
    /// What kind of provider it is, if it provides.
    pub provider_kind: Option<ProviderKind>,
    /// ISO 3166-1 alpha-2.
    pub country: String,
}

/// Somebody acting for an organisation: a member, or one of its API keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The person, unless an API key acts.
    pub account_id: Option<AccountId>,
    /// The API key, if one acts.
    pub api_key_id: Option<ApiKeyId>,
    /// The organisation acted for.
    pub organization: ActingOrg,
    /// The rights held.
    pub rights: Vec<Right>,
    /// The request, for the audit log.
    pub request_id: String,
}

impl Actor {
    /// True when the actor holds `right`.
    pub fn may(&self, right: Right) -> bool {
        self.rights.contains(&right)
    }

    /// The organisation acted for.
    pub fn org_id(&self) -> OrgId {
        self.organization.id
    }

    /// Requires that `organization`, named in an address, is the one acted for.
    ///
    /// # Errors
    /// `NotFound` for any other, whether or not it exists.
    pub fn require_own(&self, organization: OrgId) -> Result<()> {
        if organization == self.org_id() { Ok(()) } else { Err(Error::not_found("organisation")) }
    }

    /// The person, where only a person will do.
    ///
    /// # Errors
    /// `Forbidden` for an API key.
    pub fn person(&self) -> Result<AccountId> {
        self.account_id.ok_or_else(|| Error::forbidden("An API key can't do this: log in."))
    }

    /// Requires `right`.
    ///
    /// # Errors
    /// `Forbidden`, naming the right that is missing.
    pub fn require(&self, right: Right) -> Result<()> {
        if self.may(right) {
            return Ok(());
        }
        let needed = match right {
            Right::Read => "read access",
            Right::Catalogue => "the role editor or owner (API keys: the scope catalogue)",
            Right::Buy => "the role buyer or owner (API keys: the scope buy)",
            Right::Finance => "the role finance or owner (API keys: the scope finance)",
            Right::Members => "the role owner",
        };
        Err(Error::forbidden(format!("This needs {needed} in the organisation you act for.")))
    }
}

/// A right as a type, for signatures.
pub trait RightMarker: Send + Sync + 'static {
    /// The right it stands for.
    const RIGHT: Right;
}

macro_rules! markers {
    ($($(#[$doc:meta])* $name:ident = $right:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name;
        impl RightMarker for $name { const RIGHT: Right = Right::$right; }
    )+};
}

markers! {
    /// Any member or key.
    CanRead = Read;
    /// May keep the catalogue.
    CanEdit = Catalogue;
    /// May order and download.
    CanBuy = Buy;
    /// May see and move money.
    CanFinance = Finance;
    /// May keep members.
    CanManage = Members;
}

/// An actor who holds the right `R` in the organisation acted for.
#[derive(Debug, Clone)]
pub struct Acting<R: RightMarker>(pub Actor, pub PhantomData<R>);

/// An actor who holds the right `R` in an organisation that operates the exchange.
#[derive(Debug, Clone)]
pub struct Operating<R: RightMarker>(pub Actor, pub PhantomData<R>);

/// Anyone: an actor if credentials came with the request, else nobody in particular.
#[derive(Debug, Clone)]
pub struct Visitor(pub Option<Actor>);

impl Visitor {
    /// The organisation acted for, if any.
    pub fn org_id(&self) -> Option<OrgId> {
        self.0.as_ref().map(Actor::org_id)
    }
}

/// Somebody who reads what grants cover: who may download for an organisation, or the holder of the token of
/// one grant.
#[derive(Debug, Clone)]
pub struct Recipient {
    /// Who acts, with the right to download.
    pub actor: Actor,
    /// The one grant that is opened; absent for all of the organisation.
    pub grant: Option<GrantId>,
}

impl Recipient {
    /// The organisation whose grants are read.
    pub fn org_id(&self) -> OrgId {
        self.actor.org_id()
    }
}

/// A person who has logged in, whatever organisation they act for.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The person.
    pub account_id: AccountId,
    /// The log-in this token descends from.
    pub session_id: entity::ids::SessionId,
    /// The request, for the audit log.
    pub request_id: String,
}
