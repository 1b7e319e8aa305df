//! Writes what is in an image, in the form of the fixtures: each sector that is not all zeros, with its number before it. The number of sectors comes
//! first.

use std::error::Error;
use std::fs;

fn main() -> Result<(), Box<dyn Error>> {
    let [image, fixture] = &std::env::args().skip(1).collect::<Vec<_>>()[..] else {
        return Err("sectors IMAGE FIXTURE".into());
    };
    let bytes = fs::read(image)?;
    let (sectors, rest) = bytes.as_chunks::<512>();
    if !rest.is_empty() {
        return Err(format!("{image}: no whole sectors").into());
    }
    let mut all = Vec::from((sectors.len() as u64).to_le_bytes());
    for (number, sector) in (0_u64..).zip(sectors).filter(|(_, sector)| sector.iter().any(|byte| *byte != 0))
    {
        all.extend(number.to_le_bytes());
        all.extend(sector);
    }
    fs::write(fixture, all)?;
    Ok(())
}
