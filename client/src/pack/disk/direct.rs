//! A file written past the system's cache (`O_DIRECT`): no page is made, copied to, and thrown away again, which on a virtual machine takes
//! longer than the disk does. Whole blocks go to a thread; ends and patches go through the cache, which the system keeps in step.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};

/// What places in memory and in the file have to be multiples of: no disk asks for more.
const ALIGN: usize = 4096;
/// Bytes of a block, and how many go round.
pub(super) const BLOCK: usize = 1 << 20;
const BLOCKS: usize = 4;

/// Opens the same file once more, for writing past the cache, and says where it stands. None where that cannot be: other systems, and file
/// systems without it.
#[cfg(target_os = "linux")]
pub(super) fn open(file: &mut File) -> Option<(File, u64)> {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::OpenOptionsExt;
    let at = file.stream_position().ok()?;
    // Not by its name, behind which there may be another one by now.
    let same = format!("/proc/self/fd/{}", file.as_raw_fd());
    let flags = rustix::fs::OFlags::DIRECT.bits().cast_signed();
    Some((File::options().write(true).custom_flags(flags).open(same).ok()?, at))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn open(_: &mut File) -> Option<(File, u64)> {
    None
}

/// Memory that a disk can read.
struct Block {
    bytes: Vec<u8>,
    from: usize,
}

impl Block {
    fn new() -> Self {
        let bytes = vec![0; BLOCK + ALIGN];
        let from = bytes.as_ptr().align_offset(ALIGN);
        Block { bytes, from }
    }

    fn bytes(&mut self) -> &mut [u8] {
        &mut self.bytes[self.from..self.from + BLOCK]
    }
}

/// The thread that writes whole blocks, each at its place.
struct Writer {
    sender: SyncSender<(u64, Block)>,
    written: Receiver<io::Result<Block>>,
    thread: JoinHandle<()>,
}

/// The file.
pub(super) struct Direct<'a> {
    /// Through the cache.
    file: &'a mut File,
    /// Past it, until the thread has it.
    past: Option<File>,
    writer: Option<Writer>,
    made: usize,
    under_way: usize,
    spare: Vec<Block>,
    /// The block at hand, which belongs to a place that is a multiple of [`ALIGN`], and how much of it there is.
    block: Block,
    start: u64,
    size: usize,
    /// Whether something of it was not written yet.
    new: bool,
}

impl<'a> Direct<'a> {
    /// Goes on where the file stands.
    ///
    /// Errors: what is in front of there cannot be read.
    pub fn new(file: &'a mut File, past: File, at: u64) -> io::Result<Self> {
        let (past, block) = (Some(past), Block::new());
        let mut this = Direct {
            file,
            past,
            writer: None,
            made: 1,
            under_way: 0,
            spare: Vec::new(),
            block,
            start: 0,
            size: 0,
            new: false,
        };
        this.stand_at(at)?;
        Ok(this)
    }

    /// Lets the system have everything, and the file stand behind it.
    ///
    /// Errors: what the disk said of anything written.
    pub fn finish(&mut self) -> io::Result<()> {
        self.flush()?;
        self.file.seek(SeekFrom::Start(self.at()))?;
        Ok(())
    }

    fn at(&self) -> u64 {
        self.start + self.size as u64
    }

    /// Begins a block that has this place in it, and what the file has in front.
    fn stand_at(&mut self, at: u64) -> io::Result<()> {
        self.size = (at % ALIGN as u64) as usize;
        self.start = at - self.size as u64;
        self.new = false;
        let before = &mut self.block.bytes()[..self.size];
        before.fill(0);
        self.file.seek(SeekFrom::Start(self.start))?;
        let mut filled = 0;
        while filled < before.len() {
            match self.file.read(&mut before[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Gives a whole block to the thread, which is started with the first.
    fn hand_over(&mut self) -> io::Result<()> {
        if self.writer.is_none() {
            self.writer = Some(start(self.file.try_clone()?, self.past.take())?);
        }
        let next = match self.spare.pop() {
            Some(block) => block,
            None if self.made < BLOCKS => {
                self.made += 1;
                Block::new()
            }
            None => self.written()?,
        };
        let whole = std::mem::replace(&mut self.block, next);
        let writer = self.writer.as_ref().expect("it was started");
        // Should it have broken down, the next wait finds out.
        let _ = writer.sender.send((self.start, whole));
        self.under_way += 1;
        self.start += BLOCK as u64;
        self.size = 0;
        self.new = false;
        Ok(())
    }

    /// Waits for a block to be written.
    fn written(&mut self) -> io::Result<Block> {
        let writer = self.writer.as_ref().expect("a block is under way");
        match writer.written.recv() {
            Ok(block) => {
                self.under_way -= 1;
                block
            }
            Err(_) => {
                self.end();
                unreachable!("the thread ends with its sender, or with a panic")
            }
        }
    }

    /// Ends the thread, when it has done what it was given.
    fn end(&mut self) {
        if let Some(Writer { sender, written, thread }) = self.writer.take() {
            drop((sender, written));
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    }
}

/// Starts the thread. What cannot go past the cache goes through it, from then on.
fn start(through: File, mut past: Option<File>) -> io::Result<Writer> {
    let (sender, blocks) = sync_channel::<(u64, Block)>(BLOCKS);
    let (report, written) = channel();
    let work = move || {
        for (at, mut block) in blocks {
            let outcome = match past.as_ref().map(|past| write_at(past, block.bytes(), at)) {
                Some(Ok(())) => Ok(()),
                _ => {
                    past = None;
                    write_at(&through, block.bytes(), at)
                }
            };
            if report.send(outcome.map(|()| block)).is_err() {
                return;
            }
        }
    };
    Ok(Writer { sender, written, thread: thread::Builder::new().name("disk".into()).spawn(work)? })
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(not(unix))]
fn write_at(mut file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}

impl Write for Direct<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(BLOCK - self.size);
        let place = self.size..self.size + count;
        self.block.bytes()[place].copy_from_slice(&bytes[..count]);
        self.size += count;
        self.new |= count > 0;
        if self.size == BLOCK {
            self.hand_over()?;
        }
        Ok(count)
    }

    /// Lets the system have everything.
    fn flush(&mut self) -> io::Result<()> {
        while self.under_way > 0 {
            let block = self.written()?;
            self.spare.push(block);
        }
        if self.new {
            let size = self.size;
            write_at(self.file, &self.block.bytes()[..size], self.start)?;
            self.new = false;
            // The last few bytes are written again with what follows them.
            let done = size / ALIGN * ALIGN;
            self.block.bytes().copy_within(done..size, 0);
            self.start += done as u64;
            self.size -= done;
        }
        Ok(())
    }
}

impl Seek for Direct<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at().checked_add_signed(by),
            SeekFrom::End(by) => {
                self.flush()?;
                self.file.metadata()?.len().checked_add_signed(by)
            }
        };
        let target = target.ok_or(io::ErrorKind::InvalidInput)?;
        if target != self.at() {
            self.flush()?;
            self.stand_at(target)?;
        }
        Ok(target)
    }
}

impl Drop for Direct<'_> {
    /// After an error: what is not written is not missed.
    fn drop(&mut self) {
        self.end();
    }
}
