//! PCI classes in words.

/// What a class code (class, subclass and interface, from the top byte down) stands for.
pub(crate) fn name(code: u32) -> &'static str {
    match (code >> 16 & 0xff, code >> 8 & 0xff) {
        (0x01, 0x01) => "IDE controller",
        (0x01, 0x06) => "SATA controller",
        (0x01, 0x08) => "NVMe controller",
        (0x01, _) => "storage controller",
        (0x02, _) => "network controller",
        (0x03, _) => "display controller",
        (0x04, _) => "multimedia device",
        (0x05, _) => "memory controller",
        (0x06, 0x00) => "host bridge",
        (0x06, 0x01) => "ISA bridge",
        (0x06, 0x04) => "PCI bridge",
        (0x06, _) => "bridge",
        (0x07, _) => "communication controller",
        (0x08, _) => "system peripheral",
        (0x09, _) => "input device",
        (0x0c, 0x03) => "USB controller",
        (0x0c, 0x05) => "SMBus controller",
        (0x0c, _) => "serial bus controller",
        (0x00, _) => "unclassified device",
        (0xff, _) => "unassigned class",
        _ => "device",
    }
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn common_classes_have_names() {
        assert_eq!(name(0x01_0802), "NVMe controller");
        assert_eq!(name(0x06_0100), "ISA bridge");
        assert_eq!(name(0x42_0000), "device");
    }
}
