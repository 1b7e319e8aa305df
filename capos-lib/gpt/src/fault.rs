//! What can be wrong with a table. It is always the disk's fault, or of who wrote it.

use core::fmt;

/// What is wrong with a copy of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Its sectors can not be read, from this one on.
    Unreadable(u64),
    /// There is no header.
    Signature,
    /// The header says that it has so many bytes.
    HeaderSize(u32),
    /// The header is not what was written.
    HeaderChecksum,
    /// The header says that it belongs there.
    Place(u64),
    /// The array of entries is not what was written.
    ArrayChecksum,
    /// The header has a form that nobody knows.
    Revision(u32),
    /// So many entries are none, or too many.
    Count(u32),
    /// Entries have so many bytes, which is no size for them (UEFI 2.10, 5.3.2: 128 times a power of two).
    EntrySize(u32),
    /// The sectors for partitions are none, or where the disk or the table is not.
    Usable,
    /// The array lies among the sectors for partitions, or beyond the disk.
    ArrayPlace,
    /// The other copy is said to be where it can not be.
    Alternate(u64),
    /// This partition ends before it begins.
    Backwards(u32),
    /// This partition reaches beyond the sectors for partitions.
    Outside(u32),
    /// Two partitions have sectors in common.
    Overlap(u32, u32),
    /// There is no table of logical partitions there, or it is for more than one.
    Table(u64),
    /// The tables of logical partitions lead to this one twice.
    Loop(u64),
    /// This is the second one that is divided into logical partitions.
    Extended(u32),
    /// The copy is sound and says something else.
    Differs,
    /// The second copy is not at the disk's end: the disk has grown since.
    Grown,
}

impl Fault {
    /// Whether this makes a copy count as not there, so that the other one is used (UEFI 2.10, 5.3.2: what makes one valid).
    pub fn is_damage(&self) -> bool {
        use Fault::{ArrayChecksum, HeaderChecksum, HeaderSize, Place, Signature, Unreadable};
        matches!(self, Unreadable(_) | Signature | HeaderSize(_) | HeaderChecksum | Place(_) | ArrayChecksum)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Unreadable(sector) => write!(f, "sector {sector} can not be read"),
            Fault::Signature => f.write_str("there is no header"),
            Fault::HeaderSize(bytes) => write!(f, "its header says that it has {bytes} bytes"),
            Fault::HeaderChecksum => f.write_str("its header is damaged"),
            Fault::Place(sector) => write!(f, "its header says that it belongs to sector {sector}"),
            Fault::ArrayChecksum => f.write_str("its entries are damaged"),
            Fault::Revision(number) => write!(f, "it has the unknown form {number:#x}"),
            Fault::Count(count) => write!(f, "it has {count} entries"),
            Fault::EntrySize(bytes) => write!(f, "its entries have {bytes} bytes"),
            Fault::Usable => f.write_str("it leaves no sensible room for partitions"),
            Fault::ArrayPlace => f.write_str("its entries lie where they can not"),
            Fault::Alternate(sector) => write!(f, "the other copy can not be in sector {sector}"),
            Fault::Backwards(number) => write!(f, "partition {number} ends before it begins"),
            Fault::Outside(number) => write!(f, "partition {number} reaches beyond the room for partitions"),
            Fault::Overlap(one, other) => write!(f, "partitions {one} and {other} overlap"),
            Fault::Table(sector) => write!(f, "sector {sector} has no sensible table of logical partitions"),
            Fault::Loop(sector) => write!(f, "its tables lead to sector {sector} twice"),
            Fault::Extended(number) => write!(f, "partition {number} is the second with logical ones"),
            Fault::Differs => f.write_str("it says something else than the first copy"),
            Fault::Grown => f.write_str("it is not at the end of the disk, which has grown"),
        }
    }
}

impl core::error::Error for Fault {}

/// Why a disk has no partitions that could be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The disk is too small for a table, or its sectors have a size that none has.
    Shape,
    /// There is no table and nothing that looks like one.
    Absent,
    /// There is a table, and the first sector says that the disk is not divided by it: it may be what is left of another life.
    Unprotected,
    /// The first sector divides the disk in its own way, too.
    Hybrid,
    /// Both copies are damaged.
    Broken {
        /// The first one.
        primary: Fault,
        /// The one at the end.
        backup: Fault,
    },
    /// The copy in charge is sound and says nonsense.
    Wrong(Fault),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Shape => f.write_str("the disk has no room for a table of partitions"),
            Refusal::Absent => f.write_str("the disk has no table of partitions"),
            Refusal::Unprotected => f.write_str("the disk's first sector does not know of its table"),
            Refusal::Hybrid => f.write_str("the disk's first sector divides it, too"),
            Refusal::Broken { primary, backup } => {
                write!(f, "both tables are broken: of the first {primary}, of the second {backup}")
            }
            Refusal::Wrong(fault) => write!(f, "the table is wrong: {fault}"),
        }
    }
}

impl core::error::Error for Refusal {}
