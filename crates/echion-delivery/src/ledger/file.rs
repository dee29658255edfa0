//! The file of a ledger that somebody delivers out of: locked as long as that lasts, and restored when it is removed meanwhile.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use echion_model::LedgerError;

use super::{SqlLedger, connect, failed, file_options};

/// A locked file. The lock is on the file itself, not on its name, so that links and other spellings lead to the same lock.
#[derive(Debug)]
pub(super) struct OwnedFile {
    path: PathBuf,
    /// Closing it would also drop the locks of SQLite, so it lives as long as the ledger.
    handle: File,
}

impl OwnedFile {
    pub(super) fn lock(path: &Path) -> Result<Self, LedgerError> {
        let what = || format!("open the ledger {}", path.display());
        let handle = create(path, true).map_err(failed(what()))?;
        handle.try_lock().map_err(|_| LedgerError {
            what: what(),
            cause: "another process delivers out of it, and two of them would send everything twice".into(),
        })?;
        Ok(Self { path: path.to_owned(), handle })
    }

    /// Whether the name still leads to the file that is locked; `None` when it leads nowhere.
    fn is_current(&self) -> io::Result<Option<bool>> {
        let there = match std::fs::metadata(&self.path) {
            Ok(there) => there,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let ours = self.handle.metadata()?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            Ok(Some((there.dev(), there.ino()) == (ours.dev(), ours.ino())))
        }
        #[cfg(not(unix))]
        Ok(Some(there.created().ok() == ours.created().ok()))
    }
}

/// Opens the file, which is created when it is missing. Rendered messages are in it, so only its owner may read it; what SQLite puts next
/// to it has the same rights.
pub(super) fn create(path: &Path, existing: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(existing).create_new(!existing);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

impl SqlLedger {
    /// Checks that the file is still there under its name. A file that was removed is written anew from what this process still holds; one
    /// that was replaced belongs to somebody else.
    pub(super) async fn verify_file(&self) -> Result<(), LedgerError> {
        let Some(owned) = &self.owned else { return Ok(()) };
        let mut owned = owned.lock().await;
        let path = owned.path.clone();
        let what = || format!("go on with the ledger {}", path.display());
        match owned.is_current().map_err(failed(what()))? {
            Some(true) => Ok(()),
            Some(false) => Err(LedgerError { what: what(), cause: "the file was replaced by another one".into() }),
            None => {
                // `VACUUM INTO` refuses a file that holds something, so whoever was faster wins.
                create(&path, false).map_err(failed(what()))?;
                let text = path.to_string_lossy().into_owned();
                sqlx::query("VACUUM INTO $1").bind(text).execute(&self.pool()).await.map_err(failed(what()))?;
                let fresh = OwnedFile::lock(&path)?;
                let pool = connect(file_options(&path), what()).await?;
                let old = std::mem::replace(&mut *self.pool.write().unwrap_or_else(PoisonError::into_inner), pool);
                old.close().await;
                *owned = fresh;
                Ok(())
            }
        }
    }
}
