//! Using a volume for whatever it can be used.

use super::image::{Image, now};
use capos_store::{BLOCK, Finding, Findings, KEY_MAX, Limits, Need, Pointer, StoreError, VALUE_MAX, Volume};

/// No volume of a few hundred blocks has more records.
const MOST_RECORDS: usize = 300 * 700;

/// Takes every value whose length says so for pointers.
#[derive(Default)]
struct Count {
    findings: usize,
    pointers: Vec<Pointer>,
}

impl Findings for Count {
    fn pointers(&mut self, _key: &[u8], value: &[u8], pointers: &mut Vec<Pointer>) {
        if value.len() == 3 * Pointer::BYTES {
            pointers.extend(value.chunks(Pointer::BYTES).filter_map(Pointer::from_bytes));
            self.pointers.extend(&*pointers);
        }
    }

    fn found(&mut self, _finding: Finding) {
        self.findings += 1;
    }
}

/// Reads all records; keys only ever become greater.
fn read_all(
    next: impl Fn(&[u8], &mut [u8], &mut [u8]) -> Result<Option<(usize, usize)>, StoreError>,
) -> Result<usize, StoreError> {
    let (mut key, mut value) = ([0; KEY_MAX], [0; VALUE_MAX]);
    let (mut from, mut count) = (Vec::new(), 0);
    while let Some((length, _)) = next(&from, &mut key, &mut value)? {
        assert!(key[..length] >= *from, "keys are in order");
        from.clear();
        from.extend(&key[..length]);
        from.push(0);
        count += 1;
        assert!(count < MOST_RECORDS, "there are no more records than fit");
        if from.len() > KEY_MAX {
            break;
        }
    }
    Ok(count)
}

/// Mounts an image, reads, changes, and gives back all that there is, and mounts it again. Any of this may be refused. Says how many
/// records were read and how much was found to be wrong, if it is mounted.
pub fn exercise(image: &Image) -> Option<(usize, usize)> {
    let limits = Limits { nodes: 16, data: 4, dirty: 64 };
    let (volume, _) = now(Volume::mount(image.clone(), limits)).ok()?;
    let read = read_all(|from, key, value| now(volume.next(from, key, value))).unwrap_or(0);
    for snapshot in volume.snapshots() {
        if let Ok(view) = volume.view(snapshot.id) {
            let _ = read_all(|from, key, value| now(view.next(from, key, value)));
        }
    }
    let mut count = Count::default();
    let checked = now(volume.check(&mut count, true));
    let wrong = count.findings + usize::from(checked.is_err());
    let _ = now(volume.settle());
    change(&volume, &count.pointers);
    let _ = now(volume.settle());
    let _ = now(volume.snapshot(b"third"));
    let _ = now(volume.grow(None));
    for snapshot in volume.snapshots() {
        let _ = now(volume.delete_snapshot(snapshot.id));
    }
    let _ = now(volume.check(&mut Count::default(), true));
    let _ = now(Volume::mount(volume.disk().clone(), limits));
    Some((read, wrong))
}

fn change(volume: &Volume<Image>, pointers: &[Pointer]) {
    for n in 0..24u16 {
        let _ = now(volume.put(&(n * 97).to_be_bytes(), &[5; 300]));
        let _ = now(volume.remove(&(n * 74).to_be_bytes()));
        if volume.is_due() || n % 8 == 0 {
            let _ = now(volume.commit());
        }
    }
    for pointer in pointers {
        let _ = now(volume.read_data(&[*pointer], &mut [0; BLOCK]));
        let _ = volume.free(pointer);
    }
    let mut new = [Pointer::NONE; 4];
    while volume.room(Need::Ordinary) > 4 && now(volume.write_data(&[3; 4 * BLOCK], &mut new)).is_ok() {}
    let _ = now(volume.commit());
    for n in 0..60u16 {
        let _ = now(volume.remove(&(n * 37).to_be_bytes()));
    }
    let _ = now(volume.commit());
}
