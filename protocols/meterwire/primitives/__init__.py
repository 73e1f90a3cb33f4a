"""What several protocols share: packed BCD, checksums and bits that have names."""
