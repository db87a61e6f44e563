//! Secrets the nodes of one registry sign with: made once, the same on every node, never shown.

use getrandom::fill;

use crate::db::{Result, Writing, args};
use crate::{Registry, StoreError};

/// Bytes of randomness in a secret: as many as SHA-256 can use.
const SECRET_BYTES: usize = 32;

const SELECT: &str = "SELECT secret FROM signing_secret WHERE purpose = $1 LIMIT 1";

struct Making {
    purpose: &'static str,
    secret: Vec<u8>,
    now: i64,
}

impl Registry {
    /// The secret for a purpose; the first node that asks makes it.
    pub async fn signing_secret(&self, purpose: &'static str) -> Result<SigningSecret> {
        if let Some(row) = self.db().maybe(SELECT, args![purpose]).await? {
            return row.bytes("secret").map(SigningSecret);
        }
        let mut secret = vec![0; SECRET_BYTES];
        fill(&mut secret).map_err(|error| StoreError::Unavailable(error.to_string().into()))?;
        let making = Making { purpose, secret, now: self.clock().now().micros() };
        self.write(making, |writing, it| Box::pin(make(writing, it))).await.map(SigningSecret)
    }
}

/// The bytes of a secret; does not print them.
#[derive(Clone)]
pub struct SigningSecret(Vec<u8>);

impl SigningSecret {
    /// The bytes, for the one place that signs and checks.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Keeps the secret unless another node was first, and returns the one that is kept.
async fn make(writing: &mut Writing, it: &Making) -> Result<Vec<u8>> {
    let sql = "INSERT INTO signing_secret (purpose, secret, created_us) VALUES ($1, $2, $3)
               ON CONFLICT (purpose) DO NOTHING";
    writing.tx.run(sql, args![it.purpose, it.secret.as_slice(), it.now]).await?;
    let row = writing.tx.maybe(SELECT, args![it.purpose]).await?;
    row.ok_or_else(|| StoreError::unreadable("a signing secret is gone"))?.bytes("secret")
}
