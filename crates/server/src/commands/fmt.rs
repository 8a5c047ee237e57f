//! `rutter fmt FILE...`: the usual layout of Corefiles.

use crate::commands::{complain, print, read, stderr_has_colors};
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;

/// Lay out Corefiles: four blanks for each level, one empty line between server blocks. Comments,
/// the order of everything and what the file says stay.
///
/// Works on whole Corefiles and on files that are imported; imports are not followed.
///
/// Exit code 0: done. 1: a file cannot be read as a Corefile, all mistakes are shown; or with --check,
/// the layout of a file would change. 2: the command line is wrong.
#[derive(clap::Parser)]
struct Options {
    /// Write the files, instead of printing them.
    #[arg(short, long, conflicts_with = "check")]
    write: bool,
    /// Change nothing, and name the files whose layout would change.
    #[arg(long)]
    check: bool,
    /// The Corefiles; `-` is standard input.
    #[arg(default_value = "Corefile")]
    files: Vec<String>,
}

/// Lays out Corefiles.
pub(crate) fn run(words: &[String]) -> ExitCode {
    let options: Options = match read("fmt", words) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut all_good = true;
    for file in &options.files {
        all_good &= match format(file, &options) {
            Ok(good) => good,
            Err(error) => {
                complain(&format!("rutter fmt: {file}: {error}\n"));
                false
            }
        };
    }
    if all_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether the file could be laid out and, with `--check`, was so already.
fn format(file: &str, options: &Options) -> io::Result<bool> {
    let (name, text) = text_of(file)?;
    let laid_out = match corefile::format(name, &text) {
        Ok(laid_out) => laid_out,
        Err(parsed) => {
            complain(&parsed.mistakes.render(&parsed.sources, stderr_has_colors()));
            return Ok(false);
        }
    };
    let is_same = laid_out.as_bytes() == text;
    if options.check {
        if !is_same {
            print(&format!("{name}\n"));
        }
        return Ok(is_same);
    }
    if !options.write || file == "-" {
        print(&laid_out);
    } else if !is_same {
        replace(Path::new(file), &laid_out)?;
    }
    Ok(true)
}

/// The name and the octets of a file, or of standard input.
pub(crate) fn text_of(file: &str) -> io::Result<(&str, Vec<u8>)> {
    // The parser takes no more than that and says so.
    const OCTETS_MAX: u64 = 64 << 20;
    let mut octets = Vec::new();
    if file == "-" {
        io::stdin().lock().take(OCTETS_MAX).read_to_end(&mut octets)?;
        return Ok(("stdin", octets));
    }
    std::fs::File::open(file)?.take(OCTETS_MAX).read_to_end(&mut octets)?;
    Ok((file, octets))
}

/// Puts a text into a file, whole or not at all: a server may be about to read it.
pub(crate) fn replace(file: &Path, text: &str) -> io::Result<()> {
    // What a link leads to is replaced, and not the link.
    let file = file.canonicalize()?;
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let new = file.with_file_name(name);
    let permissions = std::fs::metadata(&file)?.permissions();
    let written = std::fs::write(&new, text)
        .and_then(|()| std::fs::set_permissions(&new, permissions))
        .and_then(|()| std::fs::rename(&new, &file));
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    written
}
