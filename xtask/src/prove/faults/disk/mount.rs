//! A small file system in memory on a folder, for as long as this lives; it takes Linux and the right to mount.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::ensure;

pub(super) struct Mount(PathBuf);

impl Mount {
    /// Puts one of so many mebibytes on a folder; `None` where that cannot be.
    pub(super) fn small(folder: &Path, mebibytes: u32) -> anyhow::Result<Option<Self>> {
        std::fs::create_dir_all(folder)?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m,mode=700"), "weir-prove"]).arg(folder);
        Ok(is_done(&mut mount).then(|| Self(folder.to_owned())))
    }

    /// Whether there can be one.
    pub(super) fn is_possible(folder: &Path) -> anyhow::Result<bool> {
        Ok(Self::small(folder, 1)?.is_some())
    }

    /// Makes it larger.
    pub(super) fn grow(&self, mebibytes: u32) -> anyhow::Result<()> {
        let mut remount = Command::new("mount");
        remount.args(["-o", &format!("remount,size={mebibytes}m")]).arg(&self.0);
        ensure!(is_done(&mut remount), "the small disk cannot be made larger");
        Ok(())
    }

    /// Takes away whatever is mounted on a folder.
    pub(super) fn release(folder: &Path) {
        // Nothing is mounted there, as a rule.
        is_done(Command::new("umount").arg("--lazy").arg(folder));
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        Self::release(&self.0);
    }
}

fn is_done(command: &mut Command) -> bool {
    let silent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}
